/**
 * Who this home belongs to: name, account, device and the private halves of its keys, and the island
 * they live on. docs/protocol/accounts.md §1, devices.md §2. One account in one home.
 */
import type { DeviceKeys } from '@island/protocol/crypto/device.ts';
import type { KdfParameters } from '@island/protocol/crypto/password.ts';
import { ed25519, type SigningPair, x25519 } from '@island/protocol/crypto/primitives.ts';
import { kdf } from '@island/protocol/wire/route.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import type { Pinned } from './platform.ts';
import { bytes64, decodeRecord, encodeRecord } from './record.ts';
import type { Row, Storage } from './storage.ts';

const record = v.strictObject({
  /** `pending`: the keys are made, the island has not confirmed that it took them. */
  state: v.picklist(['pending', 'registered']),
  address: v.string(),
  root: v.string(),
  name: s.person,
  account: s.account,
  device: s.device,
  /** Seeds and private keys, 32 bytes each. */
  aik: bytes64,
  dsk: bytes64,
  dik: bytes64,
  /** Raised when the home was put back from a copy: sessions from before it then only receive. */
  generation: s.count,
  /** The signed device list that this device made last. */
  list: bytes64,
  /** What the password was hashed with: an island may never ask for less. */
  kdf,
  salt: bytes64,
});

export type AccountRecord = v.InferOutput<typeof record>;

/** The account with its keys ready for use. */
export interface Account extends DeviceKeys {
  name: string;
  /** The account identity key. */
  aik: SigningPair;
  pinned: Pinned;
  kdf: KdfParameters;
  generation: number;
}

const namespace = 'account';
const key = 'self';

export async function readAccount(storage: Storage): Promise<AccountRecord | undefined> {
  const row = await storage.read(namespace, key);
  return row && decodeAccount(row);
}

export const decodeAccount = (row: Row): AccountRecord => decodeRecord(record, row);

export const accountKey = { namespace, key };
export const accountRow = (value: AccountRecord) => ({
  namespace,
  key,
  bytes: encodeRecord(value),
});

export function openAccount(value: AccountRecord): Account {
  const { name, account, device, aik, dsk, dik, address, root } = value;
  return {
    name,
    account,
    device,
    aik: ed25519.fromSeed(aik),
    dsk: ed25519.fromSeed(dsk),
    dik: x25519.fromPrivate(dik),
    pinned: { address, root },
    kdf: value.kdf,
    generation: value.generation,
  };
}
