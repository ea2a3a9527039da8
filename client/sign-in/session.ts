/**
 * Being signed in: an access token for the routes that want one, renewed before it ends. docs/protocol/accounts.md §4
 *
 * A refresh token is good for one exchange, and its second use ends the session. So before an exchange
 * its `attempt` is on the disk: a client that dies, or loses the answer, repeats the same attempt and
 * gets the same answer. One process of a home renews at a time; the others find what it got.
 * Every exchange, also a repeated one, signs a fresh nonce with the device's key: whoever has recorded
 * all requests, tokens among them, can renew nothing.
 */
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { aboutRefresh, proofUses, proveDevice } from '@island/protocol/crypto/session-proof.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Answer, RequestText, RouteName } from '@island/protocol/wire/routes.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import type { Account } from '../account/account.ts';
import { Problem } from '../problem.ts';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Storage } from '../storage/storage.ts';
import { type CallOptions, call, type Transport } from '../transport/transport.ts';
import { withNonce } from './nonces.ts';

const record = v.strictObject({
  access: v.string(),
  refresh: v.string(),
  /** Unix milliseconds by this machine's clock. */
  obtained: v.number(),
  attempt: v.optional(v.string()),
});
type SessionRecord = v.InferOutput<typeof record>;

const namespace = 'session';
const key = 'tokens';
/** Milliseconds before its end at which a token is renewed. */
const margin = 120_000;

export const sessionRow = (
  { access, refresh }: { access: string; refresh: string },
  now: number,
) => ({ namespace, key, bytes: encodeRecord({ access, refresh, obtained: now }) });
export const sessionKey = { namespace, key };

/** Whether this home has a session, as far as it knows. */
export const hasSession = async (storage: Storage): Promise<boolean> =>
  (await storage.read(namespace, key)) !== undefined;

export interface Session {
  /** The way that it goes. */
  readonly transport: Transport;
  /** Throws `signed_out` when this device knows that it is; asks nobody. */
  present(): Promise<void>;
  /** A token with at least a minute to live. Throws `signed_out` when there is none to be had. */
  token(signal?: AbortSignal): Promise<string>;
  /** Says that the island refused this token: the next `token` is another one. */
  refused(token: string): void;
  /** Asks a route as this device; a token that ended early is renewed once. */
  call<N extends RouteName>(
    name: N,
    request: RequestText<N>,
    options?: Omit<CallOptions, 'token'>,
  ): Promise<Answer<N>>;
}

export function openSession(parts: {
  storage: Storage;
  transport: Transport;
  account: Pick<Account, 'account' | 'device' | 'dsk'>;
  now: () => number;
}): Session {
  const { storage, transport, account: self, now } = parts;
  const stale = new Set<string>();

  async function read(): Promise<SessionRecord> {
    const row = await storage.read(namespace, key);
    if (!row) throw new Problem('signed_out');
    return decodeRecord(record, row);
  }

  const fresh = ({ access, obtained }: SessionRecord): boolean => {
    const age = now() - obtained;
    return !stale.has(access) && age >= 0 && age < limits.accessSeconds * 1000 - margin;
  };

  const exchange = (refresh: string, attempt: string, signal: AbortSignal | undefined) =>
    withNonce(
      transport,
      (nonce) => {
        const { account, device, dsk } = self;
        const about = aboutRefresh(fromBase64url(refresh), fromBase64url(attempt));
        const proof = proveDevice(dsk, { nonce, account, device, use: proofUses.refresh, about });
        const shown = { nonce: base64url(nonce), deviceProof: base64url(proof) };
        const request = { refresh, attempt, ...shown };
        return call(transport, 'refresh', request, signal ? { signal } : {});
      },
      signal,
    );

  async function renew(signal?: AbortSignal): Promise<string> {
    using _section = await storage.lock('session', signal);
    const held = await read();
    if (fresh(held)) return held.access;
    const attempt = held.attempt ?? base64url(randomBytes(16));
    if (held.attempt === undefined) {
      await storage.commit({
        put: [{ namespace, key, bytes: encodeRecord({ ...held, attempt }) }],
      });
    }
    try {
      const tokens = await exchange(held.refresh, attempt, signal);
      await storage.commit({ put: [sessionRow(tokens, now())] });
      stale.clear();
      return tokens.access;
    } catch (error) {
      if (!isSignedOut(error)) throw error;
      await storage.commit({ remove: [sessionKey] });
      throw new Problem('signed_out', {}, { cause: error });
    }
  }

  async function token(signal?: AbortSignal): Promise<string> {
    const held = await read();
    return fresh(held) ? held.access : renew(signal);
  }

  return {
    transport,
    token,
    async present() {
      await read();
    },
    refused: (access) => void stale.add(access),
    async call(name, request, options = {}) {
      const access = await token(options.signal);
      try {
        return await call(transport, name, request, { ...options, token: access });
      } catch (error) {
        if (!isSignedOut(error)) throw error;
        stale.add(access);
        return await call(transport, name, request, {
          ...options,
          token: await token(options.signal),
        });
      }
    },
  };
}

const signedOut = new Set(['unauthenticated', 'token_expired', 'session_revoked']);
export const isSignedOut = (error: unknown): boolean =>
  error instanceof Fault && signedOut.has(error.code);
