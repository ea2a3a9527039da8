/**
 * Changes of what all devices of an account share: taken over from other devices, or made here and put on
 * the island. docs/protocol/keys.md §6
 *
 * One process of a home at a time. What is made here is committed before it is sent, and sent again
 * after a crash or a lost answer: to the island the same bytes are the same change. Before anything is
 * made, whatever another device changed first is adopted (adoption.ts).
 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { openKeyRecord } from '@island/protocol/crypto/key-record.ts';
import { ed25519, equal, type SigningPair } from '@island/protocol/crypto/primitives.ts';
import { Fault, type FaultCode } from '@island/protocol/wire/fault.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { archiveHead } from '../archive/rows.ts';
import { insist } from '../insist.ts';
import { Problem } from '../problem.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { accountKey, accountRow, decodeAccount } from './account.ts';
import {
  codeShares,
  keepingText,
  keyringOf,
  keysPlace,
  keysRow,
  readKeyring,
} from './account-keys.ts';
import { type Adopting, adoptOwnAccount, type Present, presentHere } from './adoption.ts';
import { unshownRow } from './new-codes.ts';
import { type NewCodes, nextRecord } from './next-record.ts';
import type { OwnChange } from './untold-changes.ts';

/** What changing the keys of the account needs. */
export type Keeping = Adopting;

export interface KeyChange {
  /** A new list and the AIK that signed it. */
  list?: { bytes: Uint8Array; aik: SigningPair };
  /** New codes in place of all others, and how they are shown. */
  codes?: NewCodes & { texts: readonly string[] };
  /** A new archive key. */
  rotate: boolean;
}

const pendingRecord = v.strictObject({
  list: v.optional(bytes64),
  /** Seed of the AIK that signed list and record. */
  aik: bytes64,
  record: bytes64,
  shares: codeShares,
  ark: bytes64,
  /** Codes that are good once the island has taken this. */
  codes: v.optional(v.array(v.string())),
});
type Pending = v.InferOutput<typeof pendingRecord>;

const pendingPlace = { namespace: 'account', key: 'keys-pending' };
const lockName = 'account keys';
/** Times that a change is made anew because another device was first. */
const tries = 4;

/**
 * Adopts what is newer on the island. Throws what `adoptOwnAccount` throws: `device_removed`,
 * `identity_changed`, `record_rolled_back` and the like.
 */
export async function syncKeys(keeping: Keeping): Promise<Present & { changes: OwnChange[] }> {
  using _section = await keeping.storage.lock(lockName, keeping.signal);
  await settle(keeping);
  return await adoptOwnAccount(keeping);
}

/**
 * Makes the change that `plan` wants of what is there, or none, and resolves when the island has it and
 * this home says so. `plan` is asked again when another device was first. Throws what `syncKeys` throws,
 * what the island says against it, and `keys_unsettled`.
 */
export async function publishKeys(
  keeping: Keeping,
  plan: (present: Present) => KeyChange | undefined,
): Promise<Present> {
  using _section = await keeping.storage.lock(lockName, keeping.signal);
  await settle(keeping);
  for (let attempt = 0; attempt < tries; attempt++) {
    const present = await adoptOwnAccount(keeping);
    const change = plan(present);
    if (!change) return present;
    await keeping.storage.commit({
      put: [{ ...pendingPlace, bytes: encodeRecord(await make(keeping.storage, present, change)) }],
      expect: [{ ...pendingPlace, version: 0 }],
    });
    if (await settle(keeping)) return presentHere(keeping.storage);
  }
  throw new Problem('keys_unsettled');
}

async function make(storage: Storage, present: Present, change: KeyChange): Promise<Pending> {
  const { self, list, record, keys, used } = present;
  const aik = change.list?.aik ?? ed25519.fromSeed(self.aik);
  const made = nextRecord({
    previous: record,
    keys,
    list: change.list ? openDeviceList(change.list.bytes) : list,
    aik,
    rotate: change.rotate,
    used,
    ...(change.codes && { codes: change.codes }),
    head: await archiveHead(storage),
  });
  return {
    ...made,
    aik: aik.private,
    ...(change.list && { list: change.list.bytes }),
    ...(change.codes && { codes: [...change.codes.texts] }),
  };
}

/** Ends what was begun. False when there was nothing, or another device was first and it is void. */
async function settle(keeping: Keeping): Promise<boolean> {
  const { storage, session, signal } = keeping;
  const row = await storage.read(pendingPlace.namespace, pendingPlace.key);
  if (!row) return false;
  const pending = decodeRecord(pendingRecord, row);
  try {
    await insist(() => send(keeping, pending), keeping);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (overtaken.has(error.code)) {
      const { record } = await session.call('record', {}, signal ? { signal } : {});
      if (equal(record, pending.record)) return settled(storage, pending);
    } else if (!refused.has(error.code)) throw error;
    await storage.commit({ remove: [pendingPlace] });
    if (overtaken.has(error.code)) return false;
    throw error;
  }
  return settled(storage, pending);
}

/** Another device was first: what was made does not follow from what the island has now. */
export const overtaken: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'stale_list',
  'stale_record',
  'list_broken',
  'record_broken',
]);
const refused = new Set<FaultCode>([
  'malformed',
  'too_large',
  'bad_signature',
  'forbidden',
  'kdf_too_weak',
]);

async function send({ session, signal }: Keeping, pending: Pending): Promise<void> {
  const sealed = keepingText(pending.record, pending.shares);
  const options = signal ? { signal } : {};
  if (!pending.list) await session.call('putRecord', sealed, options);
  else await session.call('updateDevices', { list: base64url(pending.list), ...sealed }, options);
}

/** The island has it: from now on this home says so, too. */
const settled = (storage: Storage, pending: Pending): Promise<boolean> =>
  untilCommitted(async () => {
    const row = await storage.read(accountKey.namespace, accountKey.key);
    if (!row) throw new Problem('not_registered', { home: storage.place });
    const keys = await storage.read(keysPlace.namespace, keysPlace.key);
    const self = decodeAccount(row);
    const list = pending.list ?? self.list;
    const aik = ed25519.fromSeed(pending.aik);
    const record = openKeyRecord(pending.record, aik.public);
    const now = [
      accountRow({ ...self, list, aik: pending.aik, codes: record.codes }),
      keysRow(keyringOf(record, pending.ark)),
    ];
    // Another program of this home may have adopted what came after it.
    const newer = keys !== undefined && readKeyring(keys).version >= record.version;
    await storage.commit({
      put: [...(newer ? [] : now), ...(pending.codes ? [unshownRow(pending.codes)] : [])],
      remove: [pendingPlace],
      expect: [
        { ...accountKey, version: row.version },
        { ...keysPlace, version: keys?.version ?? 0 },
      ],
    });
    return true;
  });
