/**
 * A list and its record, over two databases: stage (here) → update (directory) → activate (here). Each
 * step can be repeated. After a crash in between the directory's present list says which record is the
 * present one, and whoever comes next settles it. docs/protocol/devices.md §6
 */
import { has } from '@island/protocol/crypto/account-state.ts';
import { type DeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { readKeyRecord } from '@island/protocol/crypto/key-record.ts';
import { concat } from '@island/protocol/wire/bytes.ts';
import { Fault, type FaultCode } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { and, count, eq, lt } from 'drizzle-orm';
import { archive } from '../../archive/contract.ts';
import { directory } from '../../directory/contract.ts';
import type { Bus } from '../../kit/bus.ts';
import { type Clock, unixSeconds } from '../../kit/clock.ts';
import type { CallRequest } from '../../kit/contract.ts';
import type { Place, Sealing } from '../../kit/sealing.ts';
import type { AccountsStore, Database } from '../database.ts';
import { people, stagedRecords } from '../schema.ts';
import { endUnlisted } from '../sessions/session-ends.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { findJoining, finishJoining } from './joinings.ts';
import { type CheckedRecord, checkNext, presentRecord, storeRecord } from './records.ts';

export interface StagingParts {
  store: AccountsStore;
  bus: Pick<Bus, 'call'>;
  clock: Clock;
  /** Seals shares of backup codes. */
  shares: Sealing;
  sessions: Pick<Sessions, 'announce'>;
}

/** A list that follows the present one, with everything that goes with it. */
export interface Change {
  list: DeviceList;
  checked: CheckedRecord;
  /** Whether the list may be a reset. */
  reset: boolean;
  /** The device that joins. */
  joining?: { id: string; enrolment: NonNullable<UpdateRequest['joining']> };
}

export interface Staging {
  /** The account's present list, with its record in force. Throws what the directory throws. */
  settled(account: AccountId): Promise<DeviceList>;
  /**
   * The same, and the sessions of devices that are not on that list end. In one turn: a device that joins by the
   * next list has no session before it, and keeps the one that it gets.
   */
  follow(account: AccountId): Promise<void>;
  /** The same as `settled`, where a record is staged at all. */
  settle(account: AccountId): Promise<void>;
  /** What was left behind by a crash and nobody came back for. */
  settleAll(): Promise<void>;
  /** Resolves once list and record are both in force. Throws what `checkNext` and the directory throw: then nothing is. */
  change(change: Change): Promise<void>;
}

type UpdateRequest = CallRequest<typeof directory, 'update'>;

/** The directory may have committed before it failed so: the record stays staged until that is known. */
const undecided: readonly FaultCode[] = ['unavailable', 'internal', 'storage_full'];
/** Seconds after which no update can be on its way to the directory any more. */
const overSeconds = 60;
/** Records of one account that wait at once. */
const mostStaged = 8;

const placeOf = (account: string, listHash: Uint8Array): Place => ({
  table: 'staged_records',
  column: 'shares',
  row: `${account}.${hex(listHash)}`,
});
const of = (account: string, listHash: Uint8Array) =>
  and(eq(stagedRecords.account, account), eq(stagedRecords.listHash, Buffer.from(listHash)));

/** Whether a list of the account is on its way: until that is settled no record comes in between. */
export async function isStaged(db: Database, account: AccountId): Promise<boolean> {
  const [row] = await db
    .select({ n: count() })
    .from(stagedRecords)
    .where(eq(stagedRecords.account, account));
  return (row?.n ?? 0) > 0;
}

export function createStaging({ store, bus, clock, shares, sessions }: StagingParts): Staging {
  const now = () => unixSeconds(clock);
  /** One at a time for an account: the archive of before a reset is erased once, before anybody can write again. */
  const settling = new Map<AccountId, Promise<unknown>>();

  async function inTurn<T>(account: AccountId, work: () => Promise<T>): Promise<T> {
    const before = settling.get(account) ?? Promise.resolve();
    const turn = before.then(work, work);
    settling.set(account, turn);
    try {
      return await turn;
    } finally {
      if (settling.get(account) === turn) settling.delete(account);
    }
  }

  async function bringIntoForce(account: AccountId): Promise<DeviceList> {
    const answer = await bus.call(directory, 'current', { account });
    const list = openDeviceList(answer.list);
    const [staged] = await store.read.select().from(stagedRecords).where(of(account, list.hash));
    if (staged === undefined) {
      await dropOver(account);
      return list;
    }
    if (has(list, 'reset')) await bus.call(archive, 'erase', { account, listEpoch: list.epoch });
    const ended = await store.write((db) => activate(db, list));
    sessions.announce(account, ended);
    return list;
  }

  /** Answers the sessions that end with it: those of devices that the list does not have. */
  async function activate(db: Database, list: DeviceList): Promise<string[]> {
    const { account } = list;
    const [staged] = await db.select().from(stagedRecords).where(of(account, list.hash));
    if (staged === undefined) return [];
    const record = readKeyRecord(staged.bytes);
    const all = shares.open(placeOf(account, list.hash), staged.shares);
    const each = record.slots.map((_, i) => all.subarray(32 * i, 32 * i + 32));
    const previous = await presentRecord(db, account);
    await storeRecord(db, shares, { record, shares: each }, previous, now());
    await db.delete(stagedRecords).where(eq(stagedRecords.account, account));
    if (staged.joining !== null) await finishJoining(db, staged.joining);
    if (has(list, 'reset')) {
      await db.update(people).set({ resetAsked: null }).where(eq(people.account, account));
    }
    const listed = list.devices.map(({ device }) => device);
    return endUnlisted(db, account, listed, now());
  }

  /** Records whose list did not become the next one. */
  async function dropOver(account: AccountId): Promise<void> {
    if (!(await isStaged(store.read, account))) return;
    const over = lt(stagedRecords.since, now() - overSeconds);
    const gone = and(eq(stagedRecords.account, account), over);
    await store.write((db) => db.delete(stagedRecords).where(gone));
  }

  const settled = (account: AccountId) => inTurn(account, () => bringIntoForce(account));

  const follow = (account: AccountId) =>
    inTurn(account, async () => {
      const { devices } = await bringIntoForce(account);
      const listed = devices.map(({ device }) => device);
      sessions.announce(
        account,
        await store.write((db) => endUnlisted(db, account, listed, now())),
      );
    });

  async function settle(account: AccountId): Promise<void> {
    if (await isStaged(store.read, account)) await settled(account);
  }

  async function stage(db: Database, { list, checked, joining }: Change): Promise<void> {
    const { account } = list;
    await checkNext(db, checked, list, now());
    if (joining !== undefined) await checkUnderway(db, account, joining.id);
    const sealed = shares.seal(placeOf(account, list.hash), concat(...checked.shares));
    const row = {
      bytes: Buffer.from(checked.record.bytes),
      shares: sealed,
      joining: joining?.id ?? null,
      since: now(),
    };
    await db
      .insert(stagedRecords)
      .values({ account, listHash: Buffer.from(list.hash), ...row })
      .onConflictDoUpdate({ target: [stagedRecords.account, stagedRecords.listHash], set: row });
    const all = await db.select().from(stagedRecords).where(eq(stagedRecords.account, account));
    if (all.length > mostStaged) throw new Fault('unavailable');
  }

  /** One device a joining, also of several requests at once of which one's list follows another's. */
  async function checkUnderway(db: Database, account: AccountId, joining: string): Promise<void> {
    if ((await findJoining(db, account, joining, now())).done) throw new Fault('unauthenticated');
  }

  async function carryOut(change: Change): Promise<void> {
    const { list, reset, joining } = change;
    const { account } = list;
    await store.write((db) => stage(db, change));
    try {
      await bus.call(directory, 'update', {
        account,
        list: list.bytes,
        reset,
        ...(joining === undefined ? {} : { joining: joining.enrolment }),
      });
    } catch (error) {
      if (error instanceof Fault && !undecided.includes(error.code)) {
        await store.write((db) => db.delete(stagedRecords).where(of(account, list.hash)));
      }
      throw error;
    }
    await bringIntoForce(account);
  }

  return {
    settled,
    follow,
    settle,
    async settleAll() {
      const old = await store.read
        .selectDistinct({ account: stagedRecords.account })
        .from(stagedRecords)
        .where(lt(stagedRecords.since, now() - overSeconds));
      for (const { account } of old) {
        try {
          await settled(accountId(account));
        } catch (error) {
          // The directory or the archive can't say now: the next round asks again.
          if (!(error instanceof Fault)) throw error;
        }
      }
    },
    change: (change) => inTurn(change.list.account, () => carryOut(change)),
  };
}
