/**
 * Who others are: their signed device lists, as this home has seen them. docs/protocol/devices.md §5
 *
 * The account identity key of a person is the one that the island's log has when they are first met
 * (transparency/), and pinned from then on. A newer list counts only when the log proves it and every list on
 * the way from the known one to it follows from the one before (device-history.ts); whatever does not is
 * refused, and the known list stays. An identity that was reset is for the person here to accept.
 */
import { type DeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import type { Party } from '@island/protocol/crypto/handshake.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { type AccountId, deviceKey } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { followHistory, openListOf } from '../account/device-history.ts';
import { pendingContact } from '../archive/rows.ts';
import { Problem } from '../problem.ts';
import { sessionsNamespace } from '../ratchets/ratchets.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import {
  type Place,
  type Put,
  type Row,
  type Storage,
  untilCommitted,
} from '../storage/storage.ts';
import { endedRow, hasEnded, isEnded } from '../transparency/ended.ts';
import { mustBeUnlatched, unlatched } from '../transparency/latch.ts';
import { provedOf, provedRow } from '../transparency/proved.ts';
import type { ProvedPerson } from '../transparency/proving.ts';
import type { Lookups } from './lookups.ts';

export interface Person {
  name: string;
  account: AccountId;
  list: DeviceList;
}

export interface People {
  /** By name; asks the island for somebody not met before. Throws `unknown_person` and what `refresh` throws. */
  find(name: string, signal?: AbortSignal): Promise<Person>;
  /**
   * Asks the island, and follows the person through every change of their devices and keys. Throws `person_ended`,
   * `identity_changed`, `list_rolled_back`, `history_broken`, `list_invalid` (Problem); then nothing has changed.
   */
  refresh(name: string, signal?: AbortSignal): Promise<Person>;
  /**
   * The person here says that the new identity is the right one: it is pinned in place of the old one,
   * and sessions with the devices of before are gone. Throws as `refresh` does, except `identity_changed`.
   */
  accept(name: string, signal?: AbortSignal): Promise<Person>;
  /** Whoever was met before. */
  known(account: AccountId): Promise<Person | undefined>;
}

const record = v.strictObject({ account: s.account, list: bytes64 });
const namespace = 'people';
const byAccount = 'people-accounts';
const text = new TextDecoder();

/** The devices of a person as the ratchet knows its other side. */
export const parties = (person: Person): Party[] =>
  person.list.devices.map(({ account, device, aik, dsk, dik }) => ({
    account,
    device,
    aik,
    dsk,
    dik,
  }));

/** What pins a person by a list that this account has accepted, here or on another device. */
export const personRows = ({ name, account, bytes }: DeviceList): Put[] => [
  { namespace, key: name, bytes: encodeRecord({ account, list: bytes }) },
  { namespace: byAccount, key: account, bytes: utf8Bytes(name) },
];

/** What is pinned for a name, and the row that a change of it must expect. */
export async function readPin(
  storage: Storage,
  name: string,
): Promise<{ list: DeviceList | undefined; expect: Place & { version: number } }> {
  const row = await storage.read(namespace, name);
  return {
    list: row && openDeviceList(decodeRecord(record, row).list),
    expect: { namespace, key: name, version: row?.version ?? 0 },
  };
}

/** Whose account a name is pinned to. */
export async function pinnedAccount(
  storage: Storage,
  name: string,
): Promise<AccountId | undefined> {
  const row = await storage.read(namespace, name);
  return row && decodeRecord(record, row).account;
}

/** All who were met, by name. */
export async function everybody(storage: Storage): Promise<Person[]> {
  return (await storage.list(namespace)).map((row) => {
    const { account, list } = decodeRecord(record, row);
    return { name: row.key, account, list: openDeviceList(list) };
  });
}

export function openPeople(
  storage: Storage,
  lookups: Pick<Lookups, 'person' | 'lists' | 'ended'>,
  now: () => number = Date.now,
): People {
  /** Opening a list verifies signatures: once for each version of the row. */
  const opened = new Map<string, { version: number; person: Person }>();

  function open(row: Row): Person {
    const cached = opened.get(row.key);
    if (cached?.version === row.version) return cached.person;
    const { account, list } = decodeRecord(record, row);
    const person = { name: row.key, account, list: openDeviceList(list) };
    opened.set(row.key, { version: row.version, person });
    return person;
  }

  async function pinned(name: string): Promise<{ person: Person | undefined; version: number }> {
    const row = await storage.read(namespace, name);
    return { person: row && open(row), version: row?.version ?? 0 };
  }

  async function ask(
    name: string,
    signal: AbortSignal | undefined,
    resets: 'refused' | 'accepted',
  ): Promise<Person> {
    const before = (await pinned(name)).person;
    const shown = await shownNow(name, signal);
    const list = openListOf(name, shown);
    const { account } = list;
    return untilCommitted(async () => {
      await mustBeUnlatched(storage);
      const { person: known, version } = await pinned(name);
      if (known && crossed(known, list, before)) return known;
      const anew = known && known.account !== account;
      if (anew && resets === 'refused') throw new Problem('identity_changed', { name });
      const proved = await provedOf(storage, account);
      if (known && !anew) {
        const { bytes, epoch } = known.list;
        const eventHash = proved?.version === epoch ? proved.eventHash : undefined;
        const seen = { version: epoch, list: bytes, eventHash };
        const lists = () => lookups.lists(name, seen, shown, signal);
        await followHistory({ name, known: known.list, newest: list, lists, resets });
        if (epoch === list.epoch) {
          if (!eventHash)
            await storage.commit({ put: [provedRow(shown, now())], expect: [unlatched] });
          return known;
        }
      }
      await storage.commit({
        put: [...personRows(list), pendingContact(account), provedRow(shown, now())],
        remove: known ? leftBehind(known.list, list) : [],
        expect: [{ namespace, key: name, version }, unlatched],
      });
      return { name, account, list };
    });
  }

  async function shownNow(name: string, signal: AbortSignal | undefined): Promise<ProvedPerson> {
    try {
      return await lookups.person(name, signal);
    } catch (error) {
      if (isEnded(error)) await noteEnd(name, signal);
      throw error;
    }
  }

  /** A name is erased together with its account, and what was proved of that is still in the log. */
  async function noteEnd(name: string, signal: AbortSignal | undefined): Promise<void> {
    const { person } = await pinned(name);
    if (!person || (await hasEnded(storage, person.account))) return;
    if (!(await lookups.ended(person, signal))) throw new Problem('list_invalid', { name });
    await storage.commit({ put: [endedRow(person.account, now())], expect: [unlatched] });
  }

  return {
    refresh: (name, signal) => ask(name, signal, 'refused'),
    accept: (name, signal) => ask(name, signal, 'accepted'),
    async find(name, signal) {
      return (await pinned(name)).person ?? ask(name, signal, 'refused');
    },
    async known(account) {
      const name = await storage.read(byAccount, account);
      const { person } = name ? await pinned(text.decode(name.bytes)) : { person: undefined };
      return person?.account === account ? person : undefined;
    },
  };
}

/**
 * Answers may cross: what is older than one that came meanwhile, but not than what was known when it
 * was asked for, is no rollback.
 */
const crossed = (known: Person, answer: DeviceList, before: Person | undefined): boolean =>
  known.account === answer.account &&
  answer.epoch < known.list.epoch &&
  answer.epoch >= (before?.list.epoch ?? 0);

/** Sessions with devices that are no longer theirs, or are under another certificate. */
export function leftBehind(known: DeviceList, list: DeviceList): Place[] {
  const gone = known.devices
    .filter(({ signature }) => !list.devices.some((cert) => equal(cert.signature, signature)))
    .map(({ account, device }) => ({
      namespace: sessionsNamespace,
      key: deviceKey(account, device),
    }));
  const moved = known.account !== list.account;
  return moved ? [...gone, { namespace: byAccount, key: known.account }] : gone;
}
