/**
 * Who signed an entry: the key of a device that the log of keys proves to have been on the actor's list at that epoch.
 * docs/protocol/channel.md §3.2
 *
 * Nothing here comes from the island's word: names and accounts are bound by the key log, devices by proved lists.
 */
import { type DeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { type SpaceEntry, verifyEntry } from '@island/protocol/space/entry.ts';
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import type { Account } from '../account/account.ts';
import type { Lookups } from '../people/lookups.ts';
import type { OwnPerson } from '../people/own-person.ts';
import type { People, Person } from '../people/people.ts';
import { Problem } from '../problem.ts';

export interface ActorsParts {
  account: Pick<Account, 'account' | 'name'>;
  people: People;
  own: OwnPerson;
  lookups: Lookups;
}

export interface Actors {
  /**
   * `ended`: the account is no more, so that nothing can be proved of it. Throws `space_forged` for an entry that its
   * actor's device did not sign, and whatever looking people up throws: then nothing is known of the entry.
   */
  verify(
    entry: SpaceEntry,
    state: SpaceState | undefined,
    signal?: AbortSignal,
  ): Promise<'proved' | 'ended'>;
  /** Looks up who comes in these entries, several at a time, so that verifying them one by one asks nobody new. */
  meet(entries: readonly SpaceEntry[], signal?: AbortSignal): Promise<void>;
  /** A member as the log proves them now. Throws `space_forged` where the name is somebody else's. */
  person(name: string, account: AccountId, signal?: AbortSignal): Promise<Person>;
  /** The same, asked for anew. */
  refresh(name: string, account: AccountId, signal?: AbortSignal): Promise<Person>;
}

/** People looked up at a time. */
const atOnce = 8;

const nothing = { version: 0, list: new Uint8Array(0), eventHash: new Uint8Array(32) };

export function openActors({ account: self, people, own, lookups }: ActorsParts): Actors {
  /** All lists of somebody, by account: fetched once, where an entry names one that is over. */
  const past = new Map<AccountId, DeviceList[]>();

  async function person(name: string, account: AccountId, signal?: AbortSignal): Promise<Person> {
    if (account === self.account) return own.present();
    return sameAccount(await people.find(name, signal), account);
  }

  async function refresh(name: string, account: AccountId, signal?: AbortSignal): Promise<Person> {
    if (account === self.account) return own.refresh(signal ?? new AbortController().signal);
    return sameAccount(await people.refresh(name, signal), account);
  }

  async function listAt(
    name: string,
    account: AccountId,
    epoch: number,
    signal?: AbortSignal,
  ): Promise<DeviceList | undefined> {
    let { list } = await person(name, account, signal);
    if (list.epoch < epoch) list = (await refresh(name, account, signal)).list;
    if (list.epoch < epoch) return undefined;
    if (list.epoch === epoch) return list;
    const known = past.get(account)?.find((each) => each.epoch === epoch);
    if (known) return known;
    const newest = await lookups.person(name, signal);
    if (newest.account !== account) return undefined;
    const lists = await lookups.lists(name, nothing, newest, signal);
    const all = lists.map(openDeviceList);
    past.set(account, all);
    return all.find((each) => each.epoch === epoch);
  }

  return {
    person,
    refresh,
    async meet(entries, signal) {
      const left = entries.flatMap(({ op, actor }) =>
        op.op === 'create' || op.op === 'join' ? [{ name: op.name, actor }] : [],
      );
      const work = Array.from({ length: atOnce }, async () => {
        // What goes wrong here is said when the entry itself is verified.
        for (let who = left.pop(); who && !signal?.aborted; who = left.pop())
          await person(who.name, who.actor, signal).catch(() => undefined);
      });
      await Promise.all(work);
    },
    async verify(entry, state, signal) {
      const { actor, device, listEpoch, op } = entry;
      const comes = op.op === 'create' || op.op === 'join' ? op : undefined;
      const name = comes?.name ?? state?.members.get(actor)?.name;
      const title = state?.title ?? (op.op === 'create' ? op.title : '');
      const forged = (cause?: unknown): Problem =>
        new Problem('space_forged', { title, name: name ?? '?' }, { cause });
      if (name === undefined) throw forged();
      let list: DeviceList | undefined;
      try {
        list = await listAt(name, actor, listEpoch, signal);
      } catch (error) {
        if (error instanceof Problem && error.code === 'person_ended') return 'ended';
        throw error;
      }
      const cert = list?.devices.find((each) => each.device === device);
      if (!list || !cert) throw forged();
      if (comes && !(equal(comes.aik, list.aik) && comes.resets === list.resetCounter))
        throw forged();
      try {
        verifyEntry(entry, cert.dsk);
      } catch (error) {
        throw error instanceof Fault ? forged(error) : error;
      }
      return 'proved';
    },
  };
}

/** A name leads to one account for ever: another one than the entry says is a lie about who came. */
function sameAccount(person: Person, account: AccountId): Person {
  if (person.account === account) return person;
  throw new Problem('space_forged', { title: '', name: person.name });
}
