/**
 * The backup codes of one's own account: how many are left, whether one is good, and eight new ones.
 * docs/protocol/keys.md §2, §3
 */
import { openCode, readCode } from '@island/protocol/crypto/backup-code.ts';
import { ed25519, equal, randomBytes, sha256 } from '@island/protocol/crypto/primitives.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Platform } from '../platform.ts';
import { type Keeping, publishKeys, syncKeys } from './key-changes.ts';
import { codeSlot, makeCodes } from './new-codes.ts';
import { slotsLeft } from './next-record.ts';

/** With so many left, or fewer, it is time for new ones. */
export const fewCodes = 2;

/** Codes that are still good. Throws what `syncKeys` throws. */
export async function codesLeft(keeping: Keeping): Promise<number> {
  const { record, used } = await syncKeys(keeping);
  return slotsLeft(record, used).length;
}

export interface TestedCode {
  /** `unknown`: of an older set, or of somebody else. */
  state: 'good' | 'used' | 'unknown';
  /** Codes that are still good. */
  left: number;
}

/**
 * Tries a code without using it up and without showing it to the island: what it becomes must be what the
 * signed record has in its place. Throws `CodeMistake`, and what `syncKeys` throws.
 */
export async function testCode(
  keeping: Keeping,
  { argon2id }: Pick<Platform, 'argon2id'>,
  code: string,
): Promise<TestedCode> {
  const data = readCode(code);
  const { record, used, self } = await syncKeys(keeping);
  const { salt, kdf } = record.codes;
  const keys = await openCode(data, salt, kdf, argon2id, self.codes.kdf);
  const slots = slotsLeft(record, used);
  const mine = ({ loc }: { loc: Uint8Array }) => equal(loc, keys.loc);
  const slot = slots.find(mine);
  const good = slot && equal(slot.dh, keys.dh.public) && equal(slot.proofHash, sha256(keys.proof));
  const state = good
    ? 'good'
    : !slot && used.some((loc) => equal(loc, keys.loc))
      ? 'used'
      : 'unknown';
  return { state, left: slots.length };
}

/**
 * Eight new codes, and a new archive key; those before are void from then on. They stay in this home until
 * `codesShown`. Throws what `publishKeys` throws.
 */
export async function regenerateCodes(
  keeping: Keeping,
  platform: Pick<Platform, 'argon2id'>,
): Promise<string[]> {
  const { self } = await syncKeys(keeping);
  const hashing = { salt: randomBytes(16), kdf: self.codes.kdf };
  const made = await makeCodes(platform, hashing.salt, hashing.kdf, limits.backupCodes);
  const texts = made.map(({ text }) => text);
  await publishKeys(keeping, ({ self, record }) => {
    if (equal(record.codes.salt, hashing.salt)) return undefined;
    const aik = ed25519.fromSeed(self.aik).public;
    const slots = made.map(({ keys }) => codeSlot(keys, self.account, aik));
    return { rotate: true, codes: { hashing, slots, texts } };
  });
  return texts;
}
