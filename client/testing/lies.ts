/** For tests: what an island, or a bad device, makes of the records of somebody's keys. */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import {
  type KeyRecord,
  type KeyRecordParts,
  type MadeRecord,
  makeKeyRecord,
  openKeyRecord,
} from '@island/protocol/crypto/key-record.ts';
import { ed25519, type SigningPair } from '@island/protocol/crypto/primitives.ts';
import { sign } from '@island/protocol/crypto/signature.ts';
import { concat } from '@island/protocol/wire/bytes.ts';
import { readAccount } from '../account/account.ts';
import { needKeys } from '../account/account-keys.ts';
import type { Storage } from '../storage/storage.ts';

export type Json = Record<string, unknown>;

/** Everything that a device of the account knows. */
export async function ownOf({ storage }: { storage: Storage }) {
  const account = await readAccount(storage);
  if (!account) throw new Error('no account');
  const list = openDeviceList(account.list);
  const keys = await needKeys(storage);
  const record = openKeyRecord(keys.record, list.aik);
  return { account, list, aik: ed25519.fromSeed(account.aik), keys, record };
}

/** The same record with other parts, signed by `aik`. */
export function remade(
  record: KeyRecord,
  parts: Partial<KeyRecordParts> & Pick<KeyRecordParts, 'list' | 'aik' | 'ark'>,
): MadeRecord {
  const { version, prevHash, firstEpoch, arkEpoch, codes, slots } = record;
  const head = { seq: 0, hash: new Uint8Array(32) };
  const chain = { version, prevHash, firstEpoch, arkEpoch };
  return makeKeyRecord({ ...chain, codes, slots, head, former: [], ...parts });
}

/** The bytes of a record after a change to them, signed by `aik`. */
export function resigned(
  bytes: Uint8Array,
  aik: SigningPair,
  change: (fields: Uint8Array) => void = () => undefined,
): Uint8Array {
  const fields = bytes.slice(0, -64);
  change(fields);
  return concat(fields, sign('key-record', aik, fields));
}

/** Where the sealed part of the n-th of `count` code slots lies in the fields of a record. */
export function sealedAt(fields: Uint8Array, n: number, count: number): [from: number, to: number] {
  const slot = 16 + 32 + 32 + 32 + 2 + 154;
  const end = fields.length - slot * (count - 1 - n);
  return [end - 154, end];
}

/** `change` in place of parts of what one route answers. */
export const instead =
  (where: string, change: Json | ((answer: Json) => Json)) =>
  (path: string, answer: Json): Json =>
    path === where
      ? { ...answer, ...(typeof change === 'function' ? change(answer) : change) }
      : answer;
