/**
 * A new device of an account that is there: by a code, by another device, or by a reset. It comes with the
 * list that has it and the record for that list, and gets its session. docs/protocol/devices.md §6
 */
import { has } from '@island/protocol/crypto/account-state.ts';
import type { DeviceCert } from '@island/protocol/crypto/device.ts';
import {
  checkSuccessor,
  type DeviceList,
  openDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { checkDeviceProof, proofUses } from '@island/protocol/crypto/session-proof.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { unixSeconds } from '../../kit/clock.ts';
import type { CallAnswer, CallRequest } from '../../kit/contract.ts';
import type { accounts } from '../contract.ts';
import type { Sessions, Tokens } from '../sessions/sessions.ts';
import type { Nonces } from '../sign-in/nonces.ts';
import type { DeviceChanges } from './device-changes.ts';
import { findJoining, finishJoining, releasedTo } from './joinings.ts';
import { type CheckedRecord, checkKeeping, presentRecord } from './records.ts';
import { checkReset } from './reset.ts';

type Accounts = typeof accounts;
export type JoinRequest = CallRequest<Accounts, 'join'>;

export interface NewDevices extends DeviceChanges {
  nonces: Nonces;
  sessions: Sessions;
}

/** What the code gave with which the joining began, as often as asked. Throws `not_found` when there was none. */
export async function recovery(
  { store, staging, shares, clock }: DeviceChanges,
  { account, joining }: CallRequest<Accounts, 'recovery'>,
): Promise<CallAnswer<Accounts, 'recovery'>> {
  await findJoining(store.read, account, joining, unixSeconds(clock));
  // The share is of the present record: both are asked for after whatever is under way.
  await staging.settle(account);
  const row = await findJoining(store.read, account, joining, unixSeconds(clock));
  return releasedTo(shares, row);
}

/** Every step can be repeated: the same list and record again give a session again, as long as the joining stands. */
export async function join(tools: NewDevices, request: JoinRequest): Promise<Tokens> {
  const { store, clock, staging, nonces, sessions } = tools;
  const { account, device, nonce } = request;
  const now = () => unixSeconds(clock);
  const joining = await findJoining(store.read, account, request.joining, now());
  nonces.check(nonce);
  const list = openDeviceList(request.list);
  const cert = list.devices.find((entry) => entry.device === device);
  if (list.account !== account || cert === undefined) throw new Fault('malformed');
  const claim = { nonce, account, device, use: proofUses.join, about: list.hash };
  checkDeviceProof(cert.dsk, claim, request.deviceProof);

  const current = await staging.settled(account);
  // It may have joined by this very request, and others may have changed the list since.
  if (!isListed(current, cert)) {
    if (joining.done) throw new Fault('unauthenticated');
    checkSuccessor(current, list);
    const reset = has(list, 'reset');
    if (reset) await checkReset(store.read, account, now());
    const checked = checkKeeping(request, list);
    if (joining.loc !== null) await checkCodeLeft(tools, joining.loc, checked);
    const enrolment = enrolmentOf(request);
    await staging.change({ list, checked, reset, joining: { id: joining.id, enrolment } });
  }

  const begun = await store.write(async (db) => {
    // A new password ended it meanwhile: then it gives nothing any more.
    await findJoining(db, account, joining.id, now());
    await nonces.spend(db, nonce);
    await finishJoining(db, joining.id);
    return sessions.begin(db, account, device);
  });
  return sessions.issue(begun);
}

const isListed = (list: DeviceList, { device, dsk }: DeviceCert): boolean =>
  list.devices.some((entry) => entry.device === device && equal(entry.dsk, dsk));

/** Whoever joins by a code leaves its slot out of the record, and takes a new archive key: what the code opened is over. */
async function checkCodeLeft(
  { store }: DeviceChanges,
  used: Buffer,
  { record }: CheckedRecord,
): Promise<void> {
  const present = await presentRecord(store.read, record.account);
  const left = record.slots.every(({ loc }) => !used.equals(loc));
  if (!left || record.arkEpoch === present?.arkEpoch) throw new Fault('record_broken');
}

function enrolmentOf(request: JoinRequest) {
  const { device, challenge, proof, signedPrekey, lastResort, batch } = request;
  return { device, challenge, proof, signedPrekey, lastResort, batch };
}
