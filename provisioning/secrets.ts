/** Passwords between our own processes: made once, kept in a folder that only the island's owner can open. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { writePrivate } from '@island/pki/store.ts';
import { loadPrivateJson } from '@island/services/kit/config.ts';
import { ownFolder } from './layout.ts';

/** Password of each Redis user. A user that joined since gets one; one that left is forgotten. */
export async function redisPasswords<Name extends string>(
  dir: string,
  users: readonly Name[],
): Promise<Record<Name, string>> {
  await ownFolder(dir);
  const file = join(dir, 'redis.json');
  const kept = (await loadPrivateJson(file).catch(() => ({}))) as Record<string, unknown>;
  const passwords = Object.fromEntries(
    users.map((user) => {
      const old = kept[user];
      return [user, typeof old === 'string' && old.length >= 32 ? old : newSecret()];
    }),
  ) as Record<Name, string>;
  if (JSON.stringify(passwords) !== JSON.stringify(kept)) {
    await writePrivate(file, JSON.stringify(passwords));
  }
  return passwords;
}

/** 256 random bits as text. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';

/** A passphrase of 140 random bits that a person can write down: 28 letters and digits without look-alikes. */
export function newPassphrase(): string {
  const letters = Array.from(randomBytes(28), (byte) => alphabet[byte & 31] ?? '');
  return letters.join('').replace(/(.{4})(?=.)/g, '$1-');
}
