/**
 * Who holds a token: an RS256 signature of `accounts`, checked with its published keys. Its audience says
 * whether it is for a device or for joining; it is never good for the other. A token that was checked once
 * is known by its SHA-256 until it expires. docs/protocol/accounts.md §4
 */
import { hash } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId, type DeviceId, deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { accessToken, accounts, endingsPerAnswer } from '../accounts/contract.ts';
import { backoff, pause } from '../kit/backoff.ts';
import type { Bus } from '../kit/bus.ts';
import type { Cache } from '../kit/cache.ts';
import type { Clock } from '../kit/clock.ts';
import { openTokenKeys } from './token-keys.ts';

export interface Bearer {
  account: AccountId;
  device: DeviceId;
  session: string;
  /** Unix seconds. */
  expires: number;
}

/** Somebody who has shown who they are and has no device yet. */
export interface Joiner {
  account: AccountId;
  joining: string;
  /** Unix seconds. */
  expires: number;
}

/** Who asks, by the kind of their token. */
export interface Asking {
  token: Bearer;
  joining: Joiner;
}

/** What accounts is told of who asks. */
export const asker = ({ account, device, session }: Bearer) => ({ account, device, session });
export const joiner = ({ account, joining }: Joiner) => ({ account, joining });
export const either = (who: Bearer | Joiner) =>
  'joining' in who ? joiner(who) : { account: who.account };

/** Each @throws unauthenticated, token_expired, session_revoked; unavailable when the keys can't be had. */
export interface Access extends Disposable {
  /** Of an access token. */
  bearer(token: string): Promise<Bearer>;
  /** Of a joining token. */
  joiner(token: string): Promise<Joiner>;
  either(token: string): Promise<Bearer | Joiner>;
  /** Calls `listener` with each session that was ended; the returned function stops that. */
  onEnded(listener: (session: string) => void): () => void;
}

const mostTokens = 50_000;
/** Seconds that the end of a session is remembered: longer than any of its tokens lives. */
const endedSeconds = limits.accessSeconds + 120;
const ended = (session: string): string => `ended:${session}`;
/** Between two questions for the sessions that ended, while accounts does not answer. */
const patience = { first: 100, most: 1000 };

export function openAccess(parts: { bus: Bus; cache: Cache; clock: Clock }): Access {
  const { bus, cache, clock } = parts;
  const keys = openTokenKeys(bus);
  const checked = new Map<string, Bearer | Joiner>();
  /** Ended sessions and when (ms) they may be forgotten, oldest first. */
  const over = new Map<string, number>();
  const listeners = new Set<(session: string) => void>();

  function end(session: string): void {
    const now = clock.now();
    for (const [old, until] of over) {
      if (until > now) break;
      over.delete(old);
    }
    over.set(session, now + endedSeconds * 1000);
    // For the gateway's next life; while Redis is away tokens end by their expiry.
    cache.set(ended(session), new Uint8Array([1]), endedSeconds).catch(() => undefined);
    for (const listener of listeners) listener(session);
  }

  const disposed = new AbortController();
  let asking = false;
  let again = false;
  /** Asks for the sessions whose end may not have been heard, until there is an answer. */
  async function catchUp(): Promise<void> {
    again = true;
    if (asking) return;
    asking = true;
    for (let failures = 0; again && !disposed.signal.aborted; ) {
      again = false;
      try {
        for (let after: string | undefined, more = true; more; ) {
          const { sessions } = await bus.call(accounts, 'endings', { after });
          for (const session of sessions) if (!over.has(session)) end(session);
          after = sessions.at(-1);
          more = sessions.length >= endingsPerAnswer;
        }
        failures = 0;
      } catch {
        // Accounts can't say now; whatever the reason, the question stays.
        again = true;
        await pause(backoff(patience, ++failures), disposed.signal);
      }
    }
    asking = false;
  }
  const missed = (): void => void catchUp();

  const subscription = bus.subscribe(accounts, 'ended', '*', ({ session }) => end(session));
  const resumed = bus.subscribe(accounts, 'resumed', 'all', missed);
  const forgetReconnect = bus.onReconnect(missed);
  missed();

  async function check(token: string): Promise<Bearer | Joiner> {
    const { payload } = await jwtVerify(token, ({ kid }) => keys.find(kid), {
      algorithms: [accessToken.algorithm],
      issuer: accessToken.issuer,
      requiredClaims: ['sub', 'exp', 'sid', 'aud'],
      currentDate: new Date(clock.now()),
    });
    const asker = askerOf(payload);
    if ('joining' in asker) return asker;
    const gone = await cache.get(ended(asker.session)).catch(() => undefined);
    if (gone !== undefined) throw new Fault('session_revoked');
    return asker;
  }

  async function verify(token: string): Promise<Bearer | Joiner> {
    if (token.length > 2048) throw new Fault('unauthenticated');
    const name = hash('sha256', token, 'base64');
    let asker = checked.get(name);
    if (asker === undefined) {
      asker = await check(token).catch(refuse);
      checked.set(name, asker);
      if (checked.size > mostTokens) forgetOldest(checked);
    }
    if (asker.expires * 1000 <= clock.now()) {
      checked.delete(name);
      throw new Fault('token_expired');
    }
    if ('session' in asker && over.has(asker.session)) throw new Fault('session_revoked');
    return asker;
  }

  return {
    async bearer(token) {
      const asker = await verify(token);
      if ('joining' in asker) throw new Fault('unauthenticated');
      return asker;
    },
    async joiner(token) {
      const asker = await verify(token);
      if (!('joining' in asker)) throw new Fault('unauthenticated');
      return asker;
    },
    either: verify,
    onEnded(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.dispose]() {
      disposed.abort();
      forgetReconnect();
      resumed[Symbol.dispose]();
      subscription[Symbol.dispose]();
    },
  };
}

/** One audience, one kind: a token for several, or one with what belongs to the other kind, is none. */
function askerOf({ aud, sub = '', dev, sid, exp = 0 }: JWTPayload): Bearer | Joiner {
  if (typeof sid !== 'string') throw new Fault('unauthenticated');
  const account = accountId(sub);
  if (aud === accessToken.audience && typeof dev === 'number')
    return { account, device: deviceId(dev), session: sid, expires: exp };
  if (aud === accessToken.joiningAudience && dev === undefined)
    return { account, joining: sid, expires: exp };
  throw new Fault('unauthenticated');
}

function refuse(error: unknown): never {
  if (error instanceof errors.JWTExpired) throw new Fault('token_expired');
  const stated = error instanceof Fault && error.code !== 'malformed';
  if (stated || !(error instanceof Fault || error instanceof errors.JOSEError)) throw error;
  throw new Fault('unauthenticated');
}

function forgetOldest(tokens: Map<string, unknown>): void {
  for (const oldest of tokens.keys()) {
    tokens.delete(oldest);
    return;
  }
}
