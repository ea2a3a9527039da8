/**
 * Who others are: their signed device lists, as this home has seen them. docs/protocol/devices.md §5
 *
 * The account identity key of a person is taken on trust when they are first met and pinned from then
 * on. The island is believed about nothing else: a list that does not verify, is older than the known
 * one or has another identity key is refused, and the known list stays.
 */
import {
  checkNewer,
  type DeviceList,
  openDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import type { Party } from '@island/protocol/crypto/handshake.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { Problem } from './problem.ts';
import { bytes64, decodeRecord, encodeRecord } from './record.ts';
import type { Session } from './session.ts';
import { type Row, type Storage, untilCommitted } from './storage.ts';

export interface Person {
  name: string;
  account: AccountId;
  list: DeviceList;
}

export interface People {
  /** By name; asks the island for somebody not met before. Throws `unknown_person` and what `refresh` throws. */
  find(name: string, signal?: AbortSignal): Promise<Person>;
  /** Asks the island. Throws `identity_changed`, `list_rolled_back`, `list_invalid` (Problem); then nothing has changed. */
  refresh(name: string, signal?: AbortSignal): Promise<Person>;
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

export function openPeople(storage: Storage, session: Session): People {
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

  async function adopt(
    name: string,
    answer: { account: AccountId; list: Uint8Array },
    before: Person | undefined,
  ): Promise<Person> {
    const row = await storage.read(namespace, name);
    const known = row && open(row);
    // Answers may cross: what is older than one that came meanwhile, but not than what was known when
    // it was asked for, is no rollback.
    const crossed = known && known.list.epoch > (before?.list.epoch ?? 0);
    const list = check(name, answer, crossed ? before : known);
    if (crossed && known.list.epoch > list.epoch) return known;
    if (crossed) check(name, answer, known);
    if (known && known.list.epoch === list.epoch) return known;
    const { account } = list;
    await storage.commit({
      put: [
        { namespace, key: name, bytes: encodeRecord({ account, list: answer.list }) },
        { namespace: byAccount, key: account, bytes: new TextEncoder().encode(name) },
      ],
      expect: [{ namespace, key: name, version: row?.version ?? 0 }],
    });
    return { name, account, list };
  }

  async function refresh(name: string, signal?: AbortSignal): Promise<Person> {
    const row = await storage.read(namespace, name);
    const before = row && open(row);
    const answer = await session.call('person', {}, { path: { name }, ...(signal && { signal }) });
    return untilCommitted(() => adopt(name, answer, before));
  }

  return {
    refresh,
    async find(name, signal) {
      const row = await storage.read(namespace, name);
      return row ? open(row) : refresh(name, signal);
    },
    async known(account) {
      const name = await storage.read(byAccount, account);
      const row = name && (await storage.read(namespace, text.decode(name.bytes)));
      return row && open(row);
    },
  };
}

function check(
  name: string,
  answer: { account: AccountId; list: Uint8Array },
  known: Person | undefined,
): DeviceList {
  try {
    const list = openDeviceList(answer.list);
    if (list.name !== name || list.account !== answer.account) throw new Fault('malformed');
    if (known && list.account !== known.account) throw new Fault('identity_changed');
    if (known) checkNewer(known.list, list);
    return list;
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    const code = cause.code === 'stale_list' ? 'list_rolled_back' : cause.code;
    if (code === 'identity_changed' || code === 'list_rolled_back')
      throw new Problem(code, { name }, { cause });
    throw new Problem('list_invalid', { name }, { cause });
  }
}
