/**
 * The keys that all devices of an account share, as this home has them: the archive keys (ARK), and the
 * signed record by which they reach the other devices and the backup codes. docs/protocol/keys.md
 *
 * The record that was accepted last is kept whole: the next one must follow from it.
 */
import { type KeyRecord, openKeyring } from '@island/protocol/crypto/key-record.ts';
import * as s from '@island/protocol/wire/schema.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { Problem } from '../problem.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Put, Row, Storage } from '../storage/storage.ts';

const keyring = v.strictObject({
  /** The present archive key, 32 bytes, and its number. */
  ark: bytes64,
  arkEpoch: s.count,
  /** Those before it: `former[0]` is of `firstEpoch`, the last of `arkEpoch - 1`. */
  firstEpoch: s.count,
  former: v.array(bytes64),
  /** Of the record from which all this is, and the record itself. */
  version: s.count,
  hash: bytes64,
  record: bytes64,
  /** How many codes of this record were used, as far as was seen, and since when: Unix milliseconds. */
  used: v.optional(v.strictObject({ count: s.count, since: s.count })),
});
export type Keyring = v.InferOutput<typeof keyring>;

/** The island's share of each code slot of a record: 16 and 32 bytes. */
export const codeShares = v.array(v.strictObject({ loc: bytes64, share: bytes64 }));
export type Shares = v.InferOutput<typeof codeShares>;

/** A record and its shares, as a request has them. */
export const keepingText = (record: Uint8Array, shares: Shares) => ({
  record: base64url(record),
  shares: shares.map(({ loc, share }) => ({ loc: base64url(loc), share: base64url(share) })),
});

const namespace = 'account';
const key = 'keys';

export const keysPlace = { namespace, key };
export const keysRow = (value: Keyring): Put => ({ namespace, key, bytes: encodeRecord(value) });

export const readKeyring = (row: Row): Keyring => decodeRecord(keyring, row);

export async function readKeys(storage: Storage): Promise<Keyring | undefined> {
  const row = await storage.read(namespace, key);
  return row && readKeyring(row);
}

/** For whoever can't go on without: a registered home has them. Throws `home_damaged`. */
export async function needKeys(storage: Storage): Promise<Keyring> {
  const keys = await readKeys(storage);
  if (keys) return keys;
  throw new Problem('home_damaged', {
    home: storage.place,
    reason: 'the keys of the account are missing',
  });
}

/** What is kept of a record whose present key is `ark`. Throws `record_broken` when `ark` does not open its keyring. */
export function keyringOf(record: KeyRecord, ark: Uint8Array): Keyring {
  const { arkEpoch, firstEpoch, version, hash, bytes } = record;
  return {
    ark,
    arkEpoch,
    firstEpoch,
    former: openKeyring(record, ark),
    version,
    hash,
    record: bytes,
  };
}

/** The archive key of an epoch; none for one that is not known here. */
export const arkFor = (keys: Keyring, epoch: number): Uint8Array | undefined =>
  epoch === keys.arkEpoch ? keys.ark : keys.former[epoch - keys.firstEpoch];
