/**
 * What the devices of an account change of its list and its record, and what the island does when one of
 * them has left. docs/protocol/devices.md §6
 */
import { has } from '@island/protocol/crypto/account-state.ts';
import { checkSuccessor, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { accountId } from '@island/protocol/wire/ids.ts';
import { directory } from '../../directory/contract.ts';
import type { Bus } from '../../kit/bus.ts';
import { type Clock, unixSeconds } from '../../kit/clock.ts';
import type { CallAnswer, CallRequest } from '../../kit/contract.ts';
import { failure, type Log } from '../../kit/log.ts';
import type { Sealing } from '../../kit/sealing.ts';
import type { accounts } from '../contract.ts';
import type { AccountsStore } from '../database.ts';
import { type Asker, mustGoOn } from '../sessions/session-ends.ts';
import type { Attempts } from '../sign-in/attempts.ts';
import { usedSlots } from './code-slots.ts';
import { findJoining } from './joinings.ts';
import {
  type CheckedRecord,
  checkKeeping,
  checkNext,
  presentRecord,
  storeRecord,
} from './records.ts';
import { isStaged, type Staging } from './staging.ts';

type Accounts = typeof accounts;

export interface DeviceChanges {
  store: AccountsStore;
  clock: Clock;
  staging: Staging;
  /** Seals shares of backup codes. */
  shares: Sealing;
  attempts: Pick<Attempts, 'admitRotation'>;
}

/** Whoever changes the archive key again and again wears out those of before; a removal never waits. */
async function admit(
  { store, attempts }: DeviceChanges,
  { account, device }: Pick<Asker, 'account' | 'device'>,
  { record }: CheckedRecord,
): Promise<void> {
  const present = await presentRecord(store.read, account);
  if (present && record.arkEpoch > present.arkEpoch) await attempts.admitRotation(account, device);
}

/** The present record, and the slots of it whose codes were used. */
export async function readRecord(
  { store, clock, staging }: DeviceChanges,
  { account, joining }: CallRequest<Accounts, 'record'>,
): Promise<CallAnswer<Accounts, 'record'>> {
  const now = unixSeconds(clock);
  if (joining !== undefined) await findJoining(store.read, account, joining, now);
  await staging.settle(account);
  const record = await presentRecord(store.read, account);
  if (record === undefined) throw new Fault('not_found');
  const used = await usedSlots(store.read, record, now);
  return { record: record.bytes, used };
}

/** The next list of an account, which adds nobody, with its record. The same list again changes nothing. */
export async function updateDevices(
  changes: DeviceChanges,
  request: CallRequest<Accounts, 'updateDevices'>,
): Promise<void> {
  const { store, clock, staging } = changes;
  const { account, device } = request;
  const list = openDeviceList(request.list);
  if (list.account !== account) throw new Fault('malformed');
  await mustGoOn(store.read, request, unixSeconds(clock));
  const current = await staging.settled(account);
  if (equal(current.hash, list.hash)) return;
  if (!current.devices.some((cert) => cert.device === device)) throw new Fault('session_revoked');
  checkSuccessor(current, list);
  if (has(list, 'reset')) throw new Fault('forbidden');
  const checked = checkKeeping(request, list);
  // Whoever follows the account goes through every list: nobody makes thousands of them.
  if (!has(list, 'revoke')) await changes.attempts.admitRotation(account, device);
  await staging.change({ list, checked, reset: false });
}

/** A new record under the present list. The same record again changes nothing. */
export async function putRecord(
  changes: DeviceChanges,
  request: CallRequest<Accounts, 'putRecord'>,
): Promise<void> {
  const { store, clock, staging, shares } = changes;
  const { account, device } = request;
  const now = unixSeconds(clock);
  const list = await staging.settled(account);
  if (!list.devices.some((cert) => cert.device === device)) throw new Fault('session_revoked');
  const checked = checkKeeping(request, list);
  await admit(changes, request, checked);
  await store.write(async (db) => {
    await mustGoOn(db, request, now);
    const present = await presentRecord(db, account);
    if (present !== undefined && equal(present.hash, checked.record.hash)) return;
    // A list is on its way to the directory: whether its record is the next one is not known yet.
    if (await isStaged(db, account)) throw new Fault('unavailable');
    const previous = await checkNext(db, checked, list, now);
    await storeRecord(db, shares, checked, previous, now);
  });
}

/**
 * Acts on what the directory tells of lists: the record that goes with one comes into force, and the
 * sessions of devices that left it end (A4). Whatever is not heard is done when such a session is refreshed.
 */
export function watchLists(
  bus: Bus,
  { staging }: Pick<DeviceChanges, 'staging'>,
  log: Log,
): Disposable {
  return bus.subscribe(directory, 'changed', '*', ({ epoch }, key) => {
    // The first list takes nothing from anybody.
    if (epoch === 1) return;
    staging.follow(accountId(key)).catch((error: unknown) => {
      if (error instanceof Fault) log.warn('sessions_not_ended', failure(error));
      else log.error('sessions_not_ended', error);
    });
  });
}
