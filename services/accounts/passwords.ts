/**
 * The server's half of the password (A1): what is stored is Argon2id(HMAC(pepper, auth)), where
 * `auth` is already HKDF(Argon2id(password)) made by the client. docs/protocol/accounts.md §2
 */
import { createHmac } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { createTurns } from './turns.ts';

/** 19 MiB, two passes: cheap enough for a login, dear enough beside the client's 64 MiB. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 };

/**
 * Two at a time: Argon2 runs on libuv's threads (four), which the databases of the process share,
 * and each job holds 19 MiB. What waits is done within the five seconds of a call, or not taken.
 */
const turns = { lanes: 2, waiting: 256, waitingEach: 64 };

export interface Passwords {
  /** A new verifier with a salt of its own. `asker` is who is served in turn. */
  make(asker: string, auth: Uint8Array): Promise<string>;
  /** The same work whether there is a verifier or not; without one the answer is false. */
  check(asker: string, verifier: string | undefined, auth: Uint8Array): Promise<boolean>;
}

export async function createPasswords(pepper: Uint8Array): Promise<Passwords> {
  const { take } = createTurns(turns);
  // As hex: the library's `verify` takes bytes only if they happen to be UTF-8.
  const peppered = (auth: Uint8Array): string =>
    createHmac('sha256', pepper).update('island/accounts/auth\0').update(auth).digest('hex');
  const dummy = await hash(peppered(new Uint8Array(32)), cost);
  return {
    make: (asker, auth) => take(asker, () => hash(peppered(auth), cost)),
    async check(asker, verifier, auth) {
      const right = await take(asker, () => verify(verifier ?? dummy, peppered(auth)));
      return right && verifier !== undefined;
    },
  };
}
