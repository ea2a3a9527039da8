/**
 * The keys that sign access tokens (A5) and joining tokens, and their rotation: the next key is published
 * a day before it signs, the last one stays published until no token of its lives. They are stored
 * sealed: the database alone signs nothing. docs/protocol/accounts.md §4
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { DeviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { asc, lt } from 'drizzle-orm';
import { type JWTPayload, SignJWT } from 'jose';
import { type Clock, unixSeconds } from '../../kit/clock.ts';
import type { Place, Sealing } from '../../kit/sealing.ts';
import { accessToken } from '../contract.ts';
import type { AccountsStore } from '../database.ts';
import { signingKeys } from '../schema.ts';

const day = 86_400;
/** Seconds that a key signs, is published before, and stays published after beyond a token's life. */
export const rotation = { signs: 30 * day, before: day, skew: 300 } as const;

interface SigningKey {
  kid: string;
  private: KeyObject;
  starts: number;
  ends: number;
}

export interface AccessClaims {
  account: string;
  device: DeviceId;
  session: string;
}

export interface SigningKeys {
  /** A compact JWT, good for `limits.accessSeconds`. */
  sign(claims: AccessClaims): Promise<string>;
  /** The same for somebody without a device: `sid` is the joining. Good for `limits.joiningSeconds`. */
  signJoining(claims: { account: string; joining: string }): Promise<string>;
  /** Public JWKs: the last ones, the present one, the next one. */
  published(): Promise<Record<string, string>[]>;
  /** Makes the keys that are due and forgets those that are over. Any number of calls at once do it once. */
  rotate(): Promise<void>;
}

const generate = promisify(generateKeyPair);

const placeOf = (kid: string): Place => ({ table: 'signing_keys', column: 'sealed', row: kid });

/** The longest that anything lives which one of these keys has signed. */
const longest = Math.max(limits.accessSeconds, limits.joiningSeconds);

export async function openSigningKeys(
  store: AccountsStore,
  clock: Clock,
  sealing: Sealing,
): Promise<SigningKeys> {
  let keys: SigningKey[] = [];
  let rotating: Promise<void> | undefined;

  const present = (now: number) => keys.find((key) => key.starts <= now && now < key.ends);
  const last = () => keys.at(-1);

  async function make(starts: number): Promise<void> {
    const pair = await generate('rsa', { modulusLength: 2048 });
    const kid = base64url(randomBytes(9));
    const span = { starts, ends: starts + rotation.signs };
    const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
    const sealed = sealing.seal(placeOf(kid), pkcs8);
    await store.write((db) => db.insert(signingKeys).values({ kid, sealed, ...span }));
    keys.push({ kid, private: pair.privateKey, ...span });
  }

  async function rotateOnce(): Promise<void> {
    const now = unixSeconds(clock);
    const over = now - longest - rotation.skew;
    await store.write((db) => db.delete(signingKeys).where(lt(signingKeys.ends, over)));
    keys = keys.filter((key) => key.ends >= over);
    // After a long stop no key may be valid: then one starts at once.
    if (present(now) === undefined) await make(now);
    const newest = last();
    if (newest !== undefined && newest.ends - rotation.before <= now) await make(newest.ends);
  }

  async function rotate(): Promise<void> {
    rotating ??= rotateOnce().finally(() => {
      rotating = undefined;
    });
    await rotating;
  }

  async function current(): Promise<SigningKey> {
    const now = unixSeconds(clock);
    const key = present(now);
    if (key !== undefined) return key;
    await rotate();
    const made = present(now);
    if (made === undefined) throw new Error('no signing key for the present time');
    return made;
  }

  for (const row of await store.read.select().from(signingKeys).orderBy(asc(signingKeys.starts))) {
    const { kid, sealed, starts, ends } = row;
    const key = Buffer.from(sealing.open(placeOf(kid), sealed));
    const opened = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    keys.push({ kid, private: opened, starts, ends });
  }
  await rotate();

  /** What both kinds of token have in common. */
  async function token(claims: JWTPayload, audience: string, seconds: number): Promise<string> {
    const { kid, private: key } = await current();
    const now = unixSeconds(clock);
    return new SignJWT(claims)
      .setProtectedHeader({ alg: accessToken.algorithm, kid, typ: 'at+jwt' })
      .setIssuer(accessToken.issuer)
      .setAudience(audience)
      .setIssuedAt(now)
      .setExpirationTime(now + seconds)
      .setJti(base64url(randomBytes(16)))
      .sign(key);
  }

  return {
    rotate,
    sign({ account, device, session }) {
      const claims = { sub: account, dev: device, sid: session };
      return token(claims, accessToken.audience, limits.accessSeconds);
    },
    signJoining({ account, joining }) {
      const claims = { sub: account, sid: joining };
      return token(claims, accessToken.joiningAudience, limits.joiningSeconds);
    },
    async published() {
      await current();
      return keys.map((key) => {
        const { kty, n, e } = createPublicKey(key.private).export({ format: 'jwk' });
        return {
          kid: key.kid,
          alg: accessToken.algorithm,
          use: 'sig',
          kty: `${kty}`,
          n: `${n}`,
          e: `${e}`,
        };
      });
    },
  };
}
