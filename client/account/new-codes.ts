/**
 * Backup codes as they are made and handed over. docs/protocol/keys.md §2
 *
 * A code is shown once. What a person has not seen yet stays in the home until `codesShown`; after that
 * only what it opens is anywhere: its slot in the record, which holds no code.
 */
import {
  anchorOf,
  type CodeKeys,
  makeCode,
  openCode,
  readCode,
} from '@island/protocol/crypto/backup-code.ts';
import type { CodeSlotKeys } from '@island/protocol/crypto/key-record.ts';
import type { KdfParameters } from '@island/protocol/crypto/password.ts';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import * as v from 'valibot';
import type { Platform } from '../platform.ts';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Put, Storage } from '../storage/storage.ts';

export interface MadeCode {
  /** As it is shown: `ABCDE-FGHJK-…`. */
  text: string;
  keys: CodeKeys;
}

/** New codes; each takes as long as a password (Argon2id). `salt`: 16 bytes. */
export async function makeCodes(
  { argon2id }: Pick<Platform, 'argon2id'>,
  salt: Uint8Array,
  kdf: KdfParameters,
  count: number = limits.backupCodes,
): Promise<MadeCode[]> {
  const made: MadeCode[] = [];
  for (let i = 0; i < count; i++) {
    const text = makeCode();
    made.push({ text, keys: await openCode(readCode(text), salt, kdf, argon2id) });
  }
  return made;
}

/** What a record holds of a code. `aik`: the public half, at the making of the code. */
export const codeSlot = (keys: CodeKeys, account: AccountId, aik: Uint8Array): CodeSlotKeys => ({
  loc: keys.loc,
  proofHash: sha256(keys.proof),
  dh: keys.dh.public,
  anchor: anchorOf(keys, account, aik),
});

const unshown = v.strictObject({ codes: v.array(v.string()) });
export const unshownPlace = { namespace: 'account', key: 'codes' };

/** For the commit after which codes may be good. */
export const unshownRow = (codes: readonly string[]): Put => ({
  ...unshownPlace,
  bytes: encodeRecord({ codes }),
});

/** The codes that this account has and that nobody has seen yet. */
export async function readUnshown(storage: Storage): Promise<string[] | undefined> {
  const row = await storage.read(unshownPlace.namespace, unshownPlace.key);
  return row && decodeRecord(unshown, row).codes;
}

/** The person has them: they are nowhere else from now on. */
export const codesShown = (storage: Storage) => storage.commit({ remove: [unshownPlace] });
