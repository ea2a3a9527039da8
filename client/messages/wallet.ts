/**
 * Delivery tokens that this home holds: fetched ahead of need, spent once. docs/protocol/tokens.md §4
 *
 * The keys that tokens are issued under are asked for over the connection that nobody is signed in on, and
 * remembered: an island that shows other keys to us than before is refused. Fetching happens at random
 * times before the tokens run out, so that it does not tell when somebody sent something.
 */
import { blindTokens, finishTokens } from '@island/protocol/crypto/delivery-token.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Reader, Writer } from '@island/protocol/wire/bytes.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import {
  readToken,
  type Token,
  type TokenClass,
  tokenClasses,
  writeToken,
} from '@island/protocol/wire/token.ts';
import { backoff, pause } from '../backoff.ts';
import { Problem, willPass } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import type { Batch, Row, Storage } from '../storage/storage.ts';
import { Conflict } from '../storage/storage.ts';
import { callApart, type Transport } from '../transport/transport.ts';

export interface Wallet {
  /**
   * Takes tokens out in the commit that `batchOf` makes of them, fetching more when there are too few.
   * Throws `Conflict` when that commit does not hold, `token_keys_differ`, `tokens_exhausted`, and what a call throws.
   */
  take(
    kind: TokenClass,
    count: number,
    batchOf: (tokens: readonly Token[]) => Batch,
    signal?: AbortSignal,
  ): Promise<readonly Token[]>;
  /** Keeps enough of them until aborted. */
  keep(signal: AbortSignal): Promise<void>;
}

export interface Purse {
  storage: Storage;
  session: Session;
  transport: Transport;
  /** Unix milliseconds. */
  now: () => number;
}

export const tokensNamespace = 'tokens';
const namespace = tokensNamespace;
const keysNamespace = 'token-keys';
/** Delivery tokens that are held at least, and fetched at once. */
const low = 64;
/** Milliseconds between looks, at most. */
const look = 600_000;
const dayMs = 86_400_000;

export function openWallet({ storage, session, transport, now }: Purse): Wallet {
  const today = (): number => Math.floor(now() / dayMs);
  /** One fetch at a time: those who wait find what it brought. */
  let fetching: Promise<void> | undefined;

  async function held(kind: TokenClass): Promise<Row[]> {
    const rows = await storage.list(namespace);
    return rows.filter(({ key }) => key.startsWith(`${kind} `) && dayOf(key) >= today() - 1);
  }

  async function take(
    kind: TokenClass,
    count: number,
    batchOf: (tokens: readonly Token[]) => Batch,
    signal?: AbortSignal,
  ): Promise<readonly Token[]> {
    for (;;) {
      const rows = (await held(kind)).slice(0, count);
      if (rows.length < count) {
        await fetchMore(kind, count, signal);
        continue;
      }
      const tokens = rows.map(({ bytes }) => readToken(new Reader(bytes)));
      const { remove = [], expect = [], ...batch } = batchOf(tokens);
      await storage.commit({
        ...batch,
        remove: [...remove, ...rows.map(({ key }) => ({ namespace, key }))],
        expect: [...expect, ...rows.map(({ key, version }) => ({ namespace, key, version }))],
      });
      return tokens;
    }
  }

  async function fetchMore(kind: TokenClass, count: number, signal?: AbortSignal): Promise<void> {
    while (fetching) await fetching.catch(() => undefined);
    if ((await held(kind)).length >= count) return;
    const least = kind === tokenClasses.delivery ? low * 2 : count;
    fetching = issue(kind, Math.min(Math.max(count, least), limits.tokensPerBatch), signal);
    try {
      await fetching;
    } finally {
      fetching = undefined;
    }
  }

  async function issue(kind: TokenClass, count: number, signal?: AbortSignal): Promise<void> {
    const options = signal ? { signal } : {};
    const { day, key } = await presentKey(kind, signal);
    const { request, secrets } = blindTokens(kind, day, count);
    const asked = { class: kind, day, blinded: base64url(request) };
    const answer = await session.call('issueTokens', asked, options);
    const tokens = finishTokens(secrets, answer, key);
    await storage.commit({
      put: tokens.map((token) => ({
        namespace,
        key: `${kind} ${String(day).padStart(8, '0')} ${base64url(token.input)}`,
        bytes: writeToken(new Writer(128), token).done(),
      })),
      remove: (await storage.list(namespace))
        .filter((row) => dayOf(row.key) < today() - 1)
        .map((row) => ({ namespace, key: row.key })),
    });
  }

  /** The key of today, the same as it ever was. */
  async function presentKey(
    kind: TokenClass,
    signal?: AbortSignal,
  ): Promise<{ day: number; key: Uint8Array }> {
    const { keys } = await callApart(transport, 'tokenKeys', {}, signal);
    const offered = keys.filter((each) => each.class === kind);
    const [first] = offered.toSorted((a, b) => a.day - b.day);
    if (!first) throw new Problem('not_an_island', { address: transport.address });
    for (const each of offered) {
      const name = `${kind} ${each.day}`;
      const known = await storage.read(keysNamespace, name);
      if (known && !equal(known.bytes, each.public)) throw new Problem('token_keys_differ');
      if (!known)
        await storage
          .commit({
            put: [{ namespace: keysNamespace, key: name, bytes: each.public }],
            remove: (await storage.list(keysNamespace))
              .filter(({ key }) => Number(key.split(' ')[1]) < first.day - 7)
              .map(({ key }) => ({ namespace: keysNamespace, key })),
            expect: [{ namespace: keysNamespace, key: name, version: 0 }],
          })
          .catch((error: unknown) => {
            if (!(error instanceof Conflict)) throw error;
          });
    }
    return { day: first.day, key: first.public };
  }

  return {
    take,
    async keep(signal) {
      for (let attempt = 0; !signal.aborted; ) {
        try {
          if ((await held(tokenClasses.delivery)).length < low)
            await fetchMore(tokenClasses.delivery, low * 2, signal);
          attempt = 0;
          await pause(look / 2 + (Math.random() * look) / 2, signal);
        } catch (error) {
          if (signal.aborted || (error instanceof Problem && error.code === 'signed_out')) return;
          await pause(willPass(error) ? backoff(attempt++) : look, signal);
        }
      }
    },
  };
}

const dayOf = (key: string): number => Number(key.split(' ')[1]);
