/**
 * Everything that a new account begins with: identity, device, prekeys, password salt, archive key, eight
 * backup codes, and the record that seals the key for the device and the codes. docs/protocol/accounts.md §1, keys.md §1
 */
import { noHash } from '@island/protocol/crypto/account-state.ts';
import { createDevice, dayOf, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  firstDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { makeKeyRecord, openKeyRecord } from '@island/protocol/crypto/key-record.ts';
import type { KdfParameters } from '@island/protocol/crypto/password.ts';
import { ed25519, randomBytes, type SigningPair } from '@island/protocol/crypto/primitives.ts';
import { accountId, deviceId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { type AccountRecord, accountRow } from '../account/account.ts';
import { codeShares, keyringOf, keysRow, type Shares } from '../account/account-keys.ts';
import { codeSlot, makeCodes, unshownRow } from '../account/new-codes.ts';
import type { Pinned, Platform } from '../platform.ts';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Put, Storage } from '../storage/storage.ts';
import { makeEnrolment } from './enrolment.ts';
import type { Joining } from './joining-parts.ts';

/** Commits a new account as pending, with all that will be sent; whatever was pending here is gone. */
export async function makeAccount(
  joining: Joining,
  pinned: Pinned,
  name: string,
  kdf: KdfParameters,
): Promise<AccountRecord> {
  const { storage, platform, now } = joining;
  const account = accountId(hex(randomBytes(16)));
  const aik = ed25519.generate();
  const device = createDevice({ account, device: deviceId(1) });
  const cert = signDeviceCert(device, aik.public, dayOf(now()));
  const pending: AccountRecord = {
    state: 'pending',
    ...pinned,
    name,
    account,
    device: device.device,
    generation: 1,
    aik: aik.private,
    dsk: device.dsk.private,
    dik: device.dik.private,
    list: signDeviceList(firstDeviceList(cert, name), aik),
    password: { salt: randomBytes(16), kdf },
    codes: { salt: randomBytes(16), kdf },
  };
  const enrolment = await makeEnrolment(storage, device.dsk, now());
  const { keys, shares, codes } = await makeKeys(platform, pending, aik);
  await storage.commit({
    remove: enrolment.remove,
    put: [
      accountRow(pending),
      ...enrolment.put,
      keysRow(keys),
      sharesRow(shares),
      unshownRow(codes),
    ],
  });
  return pending;
}

/** The first archive key, sealed for this device and for eight codes. */
async function makeKeys(platform: Platform, pending: AccountRecord, aik: SigningPair) {
  const { account, codes: hashing } = pending;
  const codes = await makeCodes(platform, hashing.salt, hashing.kdf);
  const ark = randomBytes(32);
  const { record, shares } = makeKeyRecord({
    version: 1,
    prevHash: noHash,
    list: openDeviceList(pending.list),
    aik,
    firstEpoch: 1,
    arkEpoch: 1,
    ark,
    former: [],
    head: { seq: 0, hash: noHash },
    codes: hashing,
    slots: codes.map(({ keys }) => codeSlot(keys, account, aik.public)),
  });
  const keys = keyringOf(openKeyRecord(record, aik.public), ark);
  return { keys, shares, codes: codes.map(({ text }) => text) };
}

const shareRecord = v.strictObject({ shares: codeShares });

/** The island's part of what a code opens: this home forgets it when the island has it. */
export const sharesPlace = { namespace: 'account', key: 'first-shares' };
const sharesRow = (shares: Shares): Put => ({ ...sharesPlace, bytes: encodeRecord({ shares }) });

export async function readShares(storage: Storage): Promise<Shares | undefined> {
  const row = await storage.read(sharesPlace.namespace, sharesPlace.key);
  return row && decodeRecord(shareRecord, row).shares;
}
