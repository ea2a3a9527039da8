/**
 * The next list of an account: a device joins, devices leave, keys are replaced. What it follows from
 * is looked at in the transaction that stores it, so that of lists that cross one is the next.
 * docs/protocol/directory.md §3
 */
import { has } from '@island/protocol/crypto/account-state.ts';
import { certHash, checkDikProof, type DeviceCert, dayOf } from '@island/protocol/crypto/device.ts';
import {
  checkSuccessor,
  type DeviceList,
  hashDeviceList,
  openDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { unixSeconds } from '../kit/clock.ts';
import type { CallRequest } from '../kit/contract.ts';
import type { Quotas } from '../kit/quotas.ts';
import { directory } from './contract.ts';
import type { Database } from './database.ts';
import { addList, currentList } from './device-lists.ts';
import type { Enrolment } from './enrolment.ts';
import { addListEvent } from './log/log-events.ts';
import { type CheckedPrekeys, openPrekeys } from './prekey-check.ts';
import { dropPrekeys, storePrekeys } from './prekeys.ts';

export type UpdateRequest = CallRequest<typeof directory, 'update'>;

/** Lists are kept for ever: nobody needs more of them than this in an hour. */
const updatesPerHour = 60;

export interface Updates extends Enrolment {
  quotas: Quotas;
}

/** Resolves once it is published, or after a while: it is on the disk then, and in force. */
export async function update(tools: Updates, request: UpdateRequest): Promise<void> {
  await storeUpdate(tools, request);
  await tools.log.settled();
}

async function storeUpdate(tools: Updates, request: UpdateRequest): Promise<void> {
  const { store, bus, clock, quotas } = tools;
  const { account } = request;
  const next = openDeviceList(request.list);
  if (next.account !== account) throw new Fault('malformed');
  const seen = openDeviceList(await currentList(store.read, account));
  // A repetition is recognised before its challenge is looked at: that may be long gone.
  if (equal(seen.hash, next.hash)) return;
  checkChange(seen, next, request);
  const prekeys = checkJoining(tools, newDevice(seen, next), request);
  await quotas.count(`update\0${account}`, updatesPerHour, 3600);
  const changed = await store.write(async (db, sql) => {
    const newest = hashDeviceList(await currentList(db, account));
    if (equal(newest, next.hash)) return false;
    if (!equal(newest, seen.hash)) throw new Fault('stale_list');
    await addList(db, next);
    await addListEvent(sql, next);
    if (prekeys !== undefined)
      await storePrekeys(db, prekeys.at, prekeys.checked, unixSeconds(clock));
    await dropRemoved(db, seen, next);
    return true;
  });
  if (changed) bus.publish(directory, 'changed', account, { epoch: next.epoch });
}

/** Neither names nor accounts end this way: what leads to them lies elsewhere too. */
function checkChange(before: DeviceList, next: DeviceList, { reset }: UpdateRequest): void {
  checkSuccessor(before, next);
  const lawful = next.name === before.name && !has(next, 'erase') && (reset || !has(next, 'reset'));
  if (!lawful) throw new Fault('forbidden');
}

/** The device that the change adds, if any: one at most, by `checkSuccessor`. */
const newDevice = (before: DeviceList, next: DeviceList): DeviceCert | undefined =>
  next.devices.find(({ device }) => device > before.lastDevice);

/** A device is added by itself: it proves its keys and leaves prekeys. */
function checkJoining(
  { clock, challenges }: Enrolment,
  added: DeviceCert | undefined,
  { joining }: UpdateRequest,
): { at: DeviceCert; checked: CheckedPrekeys } | undefined {
  if (added?.device !== joining?.device) throw new Fault('malformed');
  if (added === undefined || joining === undefined) return undefined;
  const { challenge, proof } = joining;
  checkDikProof(challenges.pairOf(challenge), added.dik, certHash(added), proof);
  return { at: added, checked: openPrekeys(joining, added.dsk, dayOf(clock.now())) };
}

async function dropRemoved(db: Database, before: DeviceList, next: DeviceList): Promise<void> {
  const left = new Set(next.devices.map(({ device }) => device));
  for (const { account, device } of before.devices) {
    if (!left.has(device)) await dropPrekeys(db, { account, device });
  }
}
