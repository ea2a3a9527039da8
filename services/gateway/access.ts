/**
 * Who holds an access token: an RS256 signature of `accounts`, checked with its published keys.
 * A token that was checked once is known by its SHA-256 until it expires. docs/protocol/accounts.md §4
 */
import { hash } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId, type DeviceId, deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { type CryptoKey, errors, importJWK, type JWTPayload, jwtVerify } from 'jose';
import { accessToken, accounts } from '../accounts/contract.ts';
import { pause } from '../kit/backoff.ts';
import type { Bus } from '../kit/bus.ts';
import type { Cache } from '../kit/cache.ts';
import type { Clock } from '../kit/clock.ts';

export interface Bearer {
  account: AccountId;
  device: DeviceId;
  session: string;
  /** Unix seconds. */
  expires: number;
}

export interface Access extends Disposable {
  /** @throws unauthenticated, token_expired, session_revoked; unavailable when the keys can't be had */
  verify(token: string): Promise<Bearer>;
  /** Calls `listener` with each session that was ended; the returned function stops that. */
  onEnded(listener: (session: string) => void): () => void;
}

/** Milliseconds after which the keys are asked for again, and between two questions for an unknown one. */
const keysFor = 600_000;
const askEvery = 1000;
const mostTokens = 50_000;
/** Seconds that the end of a session is remembered: longer than any of its tokens lives. */
const endedSeconds = limits.accessSeconds + 120;
const ended = (session: string): string => `ended:${session}`;

export function openAccess(parts: { bus: Bus; cache: Cache; clock: Clock }): Access {
  const { bus, cache, clock } = parts;
  const keys = openKeys(bus);
  const checked = new Map<string, Bearer>();
  /** Ended sessions and when (ms) they may be forgotten, oldest first. */
  const over = new Map<string, number>();
  const listeners = new Set<(session: string) => void>();

  const subscription = bus.subscribe(accounts, 'ended', '*', ({ session }) => {
    const now = clock.now();
    for (const [old, until] of over) {
      if (until > now) break;
      over.delete(old);
    }
    over.set(session, now + endedSeconds * 1000);
    // For the gateway's next life; while Redis is away tokens end by their expiry.
    cache.set(ended(session), new Uint8Array([1]), endedSeconds).catch(() => undefined);
    for (const listener of listeners) listener(session);
  });

  async function check(token: string): Promise<Bearer> {
    const { payload } = await jwtVerify(token, ({ kid }) => keys.find(kid), {
      algorithms: [accessToken.algorithm],
      issuer: accessToken.issuer,
      audience: accessToken.audience,
      requiredClaims: ['sub', 'exp', 'dev', 'sid'],
      currentDate: new Date(clock.now()),
    });
    const bearer = bearerOf(payload);
    const gone = await cache.get(ended(bearer.session)).catch(() => undefined);
    if (gone !== undefined) throw new Fault('session_revoked');
    return bearer;
  }

  return {
    async verify(token) {
      if (token.length > 2048) throw new Fault('unauthenticated');
      const name = hash('sha256', token, 'base64');
      let bearer = checked.get(name);
      if (bearer === undefined) {
        bearer = await check(token).catch(refuse);
        checked.set(name, bearer);
        if (checked.size > mostTokens) forgetOldest(checked);
      }
      if (bearer.expires * 1000 <= clock.now()) {
        checked.delete(name);
        throw new Fault('token_expired');
      }
      if (over.has(bearer.session)) throw new Fault('session_revoked');
      return bearer;
    },
    onEnded(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.dispose]: () => subscription[Symbol.dispose](),
  };
}

function bearerOf(payload: JWTPayload): Bearer {
  const { sub, dev, sid, exp } = payload;
  if (typeof dev !== 'number' || typeof sid !== 'string') throw new Fault('unauthenticated');
  return {
    account: accountId(sub ?? ''),
    device: deviceId(dev),
    session: sid,
    expires: exp ?? 0,
  };
}

function refuse(error: unknown): never {
  if (error instanceof errors.JWTExpired) throw new Fault('token_expired');
  const stated = error instanceof Fault && error.code !== 'malformed';
  if (stated || !(error instanceof Fault || error instanceof errors.JOSEError)) throw error;
  throw new Fault('unauthenticated');
}

function forgetOldest(tokens: Map<string, Bearer>): void {
  for (const oldest of tokens.keys()) {
    tokens.delete(oldest);
    return;
  }
}

/** The keys of `accounts`; a key that it no longer publishes stops being good at the next question. */
function openKeys(bus: Bus) {
  let known = new Map<string, CryptoKey | Uint8Array>();
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    // Whoever invents key names waits like everybody, and puts no load on accounts.
    const early = askedAt + askEvery - performance.now();
    if (early > 0) await pause(early);
    askedAt = performance.now();
    const answer = await bus.call(accounts, 'keys', {});
    const fresh = new Map<string, CryptoKey | Uint8Array>();
    for (const jwk of answer.keys) {
      if (jwk['kid'] !== undefined)
        fresh.set(jwk['kid'], await importJWK(jwk, accessToken.algorithm));
    }
    known = fresh;
  }

  /** One question at a time; whoever comes meanwhile waits for its answer. */
  function askTogether(): Promise<void> {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  }

  return {
    async find(kid: string | undefined): Promise<CryptoKey | Uint8Array> {
      if (kid === undefined) throw new Fault('unauthenticated');
      const found = known.get(kid);
      if (found !== undefined && performance.now() - askedAt < keysFor) return found;
      // A key that is old but known is good until accounts says otherwise.
      await askTogether().catch((error: unknown) => {
        if (found === undefined) throw error;
      });
      const key = known.get(kid);
      if (key === undefined) throw new Fault('unauthenticated');
      return key;
    },
  };
}
