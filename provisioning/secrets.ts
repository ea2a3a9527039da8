/** Secrets that are made up: passwords between our own processes, and a passphrase for people. */
import { randomBytes } from 'node:crypto';

/** A password for each Redis user: of one run, and in no file that outlives it. */
export const redisPasswords = <Name extends string>(users: readonly Name[]): Record<Name, string> =>
  Object.fromEntries(users.map((user) => [user, newSecret()])) as Record<Name, string>;

/** 256 random bits as text. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';

/** A passphrase of 140 random bits that a person can write down: 28 letters and digits without look-alikes. */
export function newPassphrase(): string {
  const letters = Array.from(randomBytes(28), (byte) => alphabet[byte & 31] ?? '');
  return letters.join('').replace(/(.{4})(?=.)/g, '$1-');
}
