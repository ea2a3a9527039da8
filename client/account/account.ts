/**
 * Who this home belongs to: name, account, device and the private halves of its keys, and the island
 * they live on. docs/protocol/accounts.md §1, devices.md §2. One account in one home.
 */
import type { DeviceCert, DeviceKeys } from '@island/protocol/crypto/device.ts';
import { type DeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { ed25519, type SigningPair, x25519 } from '@island/protocol/crypto/primitives.ts';
import { kdf } from '@island/protocol/wire/route.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import type { Pinned } from '../platform.ts';
import { Problem } from '../problem.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Row, Storage } from '../storage/storage.ts';

/** Salt (16 bytes) and parameters of Argon2id. */
export const hashing = v.strictObject({ salt: bytes64, kdf });
export type Hashing = v.InferOutput<typeof hashing>;

const record = v.strictObject({
  /** `pending`: the keys are made, the island has not confirmed that it took them. */
  state: v.picklist(['pending', 'registered']),
  address: v.string(),
  root: v.string(),
  name: s.person,
  account: s.account,
  device: s.device,
  /** Seeds and private keys, 32 bytes each. `aik` is the present one of the account. */
  aik: bytes64,
  dsk: bytes64,
  dik: bytes64,
  /** Raised when the home was put back from a copy: sessions from before it then only receive. */
  generation: s.count,
  /** The newest signed device list of the account that this device has accepted: it never goes back. */
  list: bytes64,
  /** What the password was hashed with last, and what the backup codes are: an island may never ask for less. */
  password: v.optional(hashing),
  codes: hashing,
});

export type AccountRecord = v.InferOutput<typeof record>;

/** The account with its keys ready for use. */
export interface Account extends DeviceKeys {
  name: string;
  /** The present account identity key. A session is bound to `cert.aik`, under which this device joined. */
  aik: SigningPair;
  list: DeviceList;
  /** This device on the list. */
  cert: DeviceCert;
  pinned: Pinned;
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

/** Throws `device_removed` when this device is not on the list of its account, `home_damaged` for a list that does not open. */
export function openAccount(value: AccountRecord): Account {
  const { name, account, device, aik, dsk, dik, address, root, generation } = value;
  const list = openOwnList(value);
  const cert = list.devices.find((each) => each.device === device);
  if (!cert) throw new Problem('device_removed', { name, device });
  return {
    name,
    account,
    device,
    aik: ed25519.fromSeed(aik),
    dsk: ed25519.fromSeed(dsk),
    dik: x25519.fromPrivate(dik),
    list,
    cert,
    pinned: { address, root },
    generation,
  };
}

function openOwnList({ list }: AccountRecord): DeviceList {
  try {
    return openDeviceList(list);
  } catch (cause) {
    const reason = 'the device list of its account does not open';
    throw new Problem('home_damaged', { home: 'the home folder', reason }, { cause });
  }
}
