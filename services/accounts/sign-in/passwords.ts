/**
 * The server's half of the password (A1): what is stored is Argon2id(HMAC(pepper, auth)), where
 * `auth` is already HKDF(Argon2id(password)) made by the client, and, sealed, the public half of the
 * key that proves the same password over a nonce. docs/protocol/accounts.md §2
 */
import { createHmac } from 'node:crypto';
import { checkPasswordProof, type PasswordClaim } from '@island/protocol/crypto/password.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { hash, verify } from '@node-rs/argon2';
import type { Place, Sealing } from '../../kit/sealing.ts';
import { createTurns } from './turns.ts';

/** 19 MiB, two passes: cheap enough for a login, dear enough beside the client's 64 MiB. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 };

/**
 * Two at a time: Argon2 runs on libuv's threads (four), which the databases of the process share,
 * and each job holds 19 MiB. What waits is done within the five seconds of a call, or not taken.
 */
const turns = { lanes: 2, waiting: 256, waitingEach: 64 };

/** What a person's row has of the password. */
export interface KeptPassword {
  verifier: string;
  passwordKey: Buffer;
}

/** A row; both are null for who signs in with the organisation. */
interface Owner {
  account: string;
  verifier: string | null;
  passwordKey: Buffer | null;
}

export interface Passwords {
  /** A new verifier with a salt of its own. `asker` is who is served in turn. */
  make(
    asker: string,
    account: string,
    password: { auth: Uint8Array; key: Uint8Array },
  ): Promise<KeptPassword>;
  /** Whether `auth` is the owner's. The same work whether there is an owner or not; without one the answer is false. */
  matches(asker: string, owner: Owner | undefined, auth: Uint8Array): Promise<boolean>;
  /** Whether `auth` of the claim is the owner's and the proof was made for this very claim. Again always the same work. */
  check(
    asker: string,
    owner: Owner | undefined,
    claim: Omit<PasswordClaim, 'island'>,
    proof: Uint8Array,
  ): Promise<boolean>;
  /** Public half of the owner's password key. */
  keyOf(owner: Owner): Uint8Array | undefined;
}

const placeOf = (account: string): Place => ({
  table: 'people',
  column: 'password_key',
  row: account,
});

/** @param island SHA-256 of its root certificate: proofs that were made for another prove nothing */
export async function createPasswords(
  pepper: Uint8Array,
  sealing: Sealing,
  island: Uint8Array,
): Promise<Passwords> {
  const { take } = createTurns(turns);
  // As hex: the library's `verify` takes bytes only if they happen to be UTF-8.
  const peppered = (auth: Uint8Array): string =>
    createHmac('sha256', pepper).update('island/accounts/auth\0').update(auth).digest('hex');
  const dummy = await hash(peppered(new Uint8Array(32)), cost);
  const decoy = sealing.seal(placeOf(''), ed25519.generate().public);

  async function matches(asker: string, owner: Owner | undefined, auth: Uint8Array) {
    const verifier = owner?.verifier ?? undefined;
    const right = await take(asker, () => verify(verifier ?? dummy, peppered(auth)));
    return right && verifier !== undefined;
  }
  function keyOf({ account, passwordKey }: Owner): Uint8Array | undefined {
    if (passwordKey === null) return undefined;
    return sealing.open(placeOf(account), passwordKey);
  }

  return {
    async make(asker, account, { auth, key }) {
      const verifier = await take(asker, () => hash(peppered(auth), cost));
      return { verifier, passwordKey: sealing.seal(placeOf(account), key) };
    },
    matches,
    keyOf,
    async check(asker, owner, claim, proof) {
      const key = (owner && keyOf(owner)) ?? sealing.open(placeOf(''), decoy);
      const proven = isProof(key, { ...claim, island }, proof);
      return (await matches(asker, owner, claim.auth)) && proven;
    },
  };
}

function isProof(key: Uint8Array, claim: PasswordClaim, proof: Uint8Array): boolean {
  try {
    checkPasswordProof(key, claim, proof);
    return true;
  } catch (error) {
    if (error instanceof Fault && error.code === 'wrong_credentials') return false;
    throw error;
  }
}
