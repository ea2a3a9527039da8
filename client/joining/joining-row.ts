/**
 * A home on its way to become a device of an account that exists: who it is about, the island's leave to
 * join, and what was obtained and made so far. docs/protocol/devices.md §6
 *
 * Everything is here before it is sent, so that a joining that was interrupted goes on where it was.
 */
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { accountKey, hashing } from '../account/account.ts';
import { codeShares, keysPlace } from '../account/account-keys.ts';
import { unshownPlace } from '../account/new-codes.ts';
import { archiveStart, noHead } from '../archive/rows.ts';
import { allPrekeyKeys } from '../ratchets/prekeys.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Put, Storage } from '../storage/storage.ts';

const pair = v.strictObject({ public: bytes64, private: bytes64 });

/** What a code became: here only until the joining has ended. */
const code = v.strictObject({ loc: bytes64, proof: bytes64, dh: pair, anchorKey: bytes64 });

/** What a code or another device gave: of the record with `arkEpoch`. */
const secrets = v.strictObject({
  ark: bytes64,
  arkEpoch: s.count,
  /** Seed. */
  aik: bytes64,
  head: v.strictObject({ seq: s.count, hash: bytes64 }),
  /** The newest list and the record, by their hashes, with which they were checked: nothing older is taken from then on. */
  seen: v.strictObject({ list: bytes64, record: bytes64, version: s.count }),
});
export type Secrets = v.InferOutput<typeof secrets>;

const row = v.strictObject({
  address: v.string(),
  root: v.string(),
  name: s.person,
  way: v.picklist(['code', 'link', 'reset']),
  code: v.optional(code),
  /** Slots of the codes that were used for this joining: the next record has none of them. */
  spent: v.optional(v.array(bytes64)),
  /** The island's answer: none while it is asked for. */
  leave: v.optional(
    v.strictObject({
      account: s.account,
      token: v.string(),
      /** Unix milliseconds, by this machine's clock. */
      until: v.number(),
    }),
  ),
  password: v.optional(hashing),
  secrets: v.optional(secrets),
  /** The record that was made: its account and its keys are in their own rows. */
  made: v.optional(
    v.strictObject({
      shares: codeShares,
      /** Backup codes that it leaves; resets that the account has seen, this one included. */
      codesLeft: s.count,
      resets: s.count,
    }),
  ),
});
export type JoiningRow = v.InferOutput<typeof row>;

export const joiningPlace = { namespace: 'account', key: 'joining' };

export const joiningRow = (value: JoiningRow): Put => ({
  ...joiningPlace,
  bytes: encodeRecord(value),
});

export async function readJoining(storage: Storage): Promise<JoiningRow | undefined> {
  const held = await storage.read(joiningPlace.namespace, joiningPlace.key);
  return held && decodeRecord(row, held);
}

/** The joining comes to nothing: what was made for it is of no use. */
export async function forgetJoining(storage: Storage): Promise<void> {
  const { namespace, key } = archiveStart(noHead);
  const made = [accountKey, keysPlace, unshownPlace, { namespace, key }];
  await storage.commit({ remove: [joiningPlace, ...made, ...(await allPrekeyKeys(storage))] });
}
