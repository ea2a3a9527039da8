/**
 * Who signed an entry: the key of a device that the log of keys proves to have been on the actor's list at that epoch.
 * docs/protocol/channel.md §3.2
 *
 * Nothing here comes from the island's word: names and accounts are bound by the key log, devices by proved lists.
 */
import { type DeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { type SpaceEntry, verifyEntry, verifyInvited } from '@island/protocol/space/entry.ts';
import type { OpOf } from '@island/protocol/space/space-op.ts';
import type { Member, SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import type { Account } from '../account/account.ts';
import type { Lookups } from '../people/lookups.ts';
import type { OwnPerson } from '../people/own-person.ts';
import type { People, Person } from '../people/people.ts';
import { Problem } from '../problem.ts';
import { isEnded } from '../transparency/ended.ts';

export interface ActorsParts {
  account: Pick<Account, 'account' | 'name'>;
  people: People;
  own: OwnPerson;
  lookups: Lookups;
}

export type Word = 'proved' | 'ended' | 'later';

export interface Actors {
  /**
   * `ended`: the account is no more, so that nothing can be proved of it. `later`: the log does not show yet what the
   * entry names. Throws `space_forged` for an entry that its actor's device did not sign, and whatever looking people up
   * throws: then nothing is known of the entry.
   */
  verify(entry: SpaceEntry, state: SpaceState | undefined, signal?: AbortSignal): Promise<Word>;
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
  /** Whose account the log shows as ended. */
  const over = new Set<AccountId>();

  async function person(name: string, account: AccountId, signal?: AbortSignal): Promise<Person> {
    if (account === self.account) return own.present();
    return sameAccount(await people.find(name, signal), account);
  }

  async function refresh(name: string, account: AccountId, signal?: AbortSignal): Promise<Person> {
    if (account === self.account) return own.refresh(signal ?? new AbortController().signal);
    return sameAccount(await people.refresh(name, signal), account);
  }

  /** The newest list that this home can have without accepting anybody anew. */
  async function newestOf(name: string, account: AccountId, epoch: number, signal?: AbortSignal) {
    const { list } = await person(name, account, signal);
    if (list.epoch >= epoch) return list;
    try {
      return (await refresh(name, account, signal)).list;
    } catch (error) {
      // What somebody did is proved by their lists, whether or not the person here goes on with who they are now.
      if (error instanceof Problem && error.code === 'identity_changed') return list;
      throw error;
    }
  }

  /** Every list that the log has of an account, ascending. */
  async function allLists(name: string, account: AccountId, signal?: AbortSignal) {
    const newest = await lookups.person(name, signal);
    if (newest.account !== account) return [];
    const all = (await lookups.lists(name, nothing, newest, signal)).map(openDeviceList);
    past.set(account, all);
    return all;
  }

  /** The first list like this, of those that are known, then of all. */
  async function listWith(
    { name, account, epoch }: { name: string; account: AccountId; epoch: number },
    wanted: (list: DeviceList) => boolean,
    signal?: AbortSignal,
  ): Promise<DeviceList | undefined> {
    const list = await newestOf(name, account, epoch, signal);
    const known = [list, ...(past.get(account) ?? [])].find(wanted);
    return known ?? (await allLists(name, account, signal)).find(wanted);
  }

  /** Whether the log has or had these keys for a member who is let in again. */
  async function readmitted(
    { account, aik, resets }: OpOf<'readmit'>,
    member: Member | undefined,
    signal?: AbortSignal,
  ): Promise<boolean> {
    if (member === undefined) return false;
    const same = (list: DeviceList) => list.resetCounter === resets && equal(list.aik, aik);
    // A reset adds an epoch at least.
    const of = { name: member.name, account, epoch: resets + 1 };
    try {
      return (await listWith(of, same, signal)) !== undefined;
    } catch (error) {
      // Whoever is no more is given nothing by it.
      if (isEnded(error)) return true;
      throw error;
    }
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
      const member = state?.members.get(actor);
      if (over.has(actor)) return wordOf(entry, forged);
      let list: DeviceList | undefined;
      try {
        const of = { name, account: actor, epoch: listEpoch };
        list = await listWith(of, ({ epoch }) => epoch === listEpoch, signal);
      } catch (error) {
        if (!isEnded(error)) throw error;
        over.add(actor);
        return wordOf(entry, forged);
      }
      if (!list && (past.get(actor)?.at(-1)?.epoch ?? 0) < listEpoch) return 'later';
      const cert = list?.devices.find((each) => each.device === device);
      if (!list || !cert) throw forged();
      if (comes && !(equal(comes.aik, list.aik) && comes.resets === list.resetCounter))
        throw forged();
      // An account that was begun anew is somebody else, until a member lets them in again.
      if (!comes && op.op !== 'leave' && member?.resets !== list.resetCounter) throw forged();
      if (op.op === 'readmit') {
        const of = state?.members.get(op.account);
        if (!(await readmitted(op, of, signal))) throw forged();
      }
      try {
        verifyEntry(entry, cert.dsk);
      } catch (error) {
        throw error instanceof Fault ? forged(error) : error;
      }
      return 'proved';
    },
  };
}

/** Of an entry of somebody who is no more: that they came, by an invite, and went is nothing to anybody. */
function wordOf({ space, actor: account, op }: SpaceEntry, forged: () => Problem): Word {
  if (op.op === 'leave') return 'proved';
  if (op.op !== 'join') return 'ended';
  const { aik, invite: key, proof } = op;
  if (!verifyInvited({ space, account, aik, key, proof })) throw forged();
  return 'proved';
}

/** A name leads to one account for ever: another one than the entry says is a lie about who came. */
function sameAccount(person: Person, account: AccountId): Person {
  if (person.account === account) return person;
  throw new Problem('space_forged', { title: '', name: person.name });
}
