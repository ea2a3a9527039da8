/**
 * Delivery tokens that this home holds: fetched ahead of need, spent once. docs/protocol/tokens.md §4
 *
 * Fetching happens at random times before the tokens run out, so that it does not tell when somebody sent
 * something, and those for attachments in batches of one size, which tell no size of a file.
 */
import { blindTokens, finishTokens } from '@island/protocol/crypto/delivery-token.ts';
import { Reader, Writer } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
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
import type { Transport } from '../transport/transport.ts';
import { dayMs, openTokenKeys, type TokenKey } from './token-keys.ts';

/**
 * What a person says here may cost all that there is. What others cause here, by sending something, leaves the
 * last of the day's: else a few of them could keep the person silent.
 */
export type Purpose = 'said' | 'caused';

/** There are tokens, but not for what others cause. */
export class Reserved extends Fault {}

/** A wallet for what others cause. */
export const sparing = (wallet: Wallet): Wallet => ({
  ...wallet,
  take: (kind, count, batchOf, signal) => wallet.take(kind, count, batchOf, signal, 'caused'),
});

export interface Wallet {
  /**
   * Takes tokens out in the commit that `batchOf` makes of them, fetching more when there are too few.
   * Throws `Conflict` when that commit does not hold, `token_keys_differ`, `clock_wrong`, `tokens_exhausted`, and
   * what a call throws.
   */
  take(
    kind: TokenClass,
    count: number,
    batchOf: (tokens: readonly Token[]) => Batch,
    signal?: AbortSignal,
    purpose?: Purpose,
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
const stockNamespace = 'token-stock';
/** How many delivery tokens came, by day. */
const issuedNamespace = 'tokens-issued';
/** Of a day's, for what is said here. */
export const reserve = 512;
/** Delivery tokens that are held at least, and fetched at once. */
const low = 64;
/** Milliseconds between looks, at most. */
const look = 600_000;
/** Tokens for attachments come so many at a time, and once a day without being needed. */
const mediaBatch = 16;
/** How often `take` fetches, before what it is given is no use. */
const mostFetches = 3;
/** Milliseconds between asking for keys and what this device does signed in, at least and at most, where nobody waits. */
const apart = { least: 5_000, most: 30_000 };

export function openWallet({ storage, session, transport, now }: Purse): Wallet {
  const today = (): number => Math.floor(now() / dayMs);
  const keys = openTokenKeys({ storage, transport, now });
  /** The time of the day from which the keys of the next are asked for, another one in each process. */
  const askAt = (1 + Math.random() * 21) * 3_600_000;
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
    purpose: Purpose = 'said',
  ): Promise<readonly Token[]> {
    for (let fetches = 0; ; fetches++) {
      if (purpose === 'caused' && (await left()) - count < reserve)
        throw new Reserved('tokens_exhausted');
      const rows = (await held(kind)).slice(0, count);
      if (rows.length < count) {
        // Others take some, too; whoever gets none that often gets none.
        if (fetches >= mostFetches) throw new Fault('unavailable');
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

  /** Delivery tokens that are here, or that this day may still bring as far as this device knows. */
  async function left(): Promise<number> {
    const row = await storage.read(issuedNamespace, String(today()));
    const issued = row ? Number(text.decode(row.bytes)) : 0;
    const here = (await held(tokenClasses.delivery)).length;
    return here + Math.max(0, limits.deliveryTokensPerDay - issued);
  }

  /** For the commit that brings so many: how many came that day. */
  async function issuedRows(
    day: number,
    more: number,
  ): Promise<Required<Pick<Batch, 'put' | 'remove'>>> {
    const rows = await storage.list(issuedNamespace);
    const row = rows.find(({ key }) => key === String(day));
    const count = (row ? Number(text.decode(row.bytes)) : 0) + more;
    const bytes = new TextEncoder().encode(String(count));
    return {
      put: [{ namespace: issuedNamespace, key: String(day), bytes }],
      remove: rows
        .filter(({ key }) => Number(key) < today() - 1)
        .map(({ key }) => ({ namespace: issuedNamespace, key })),
    };
  }

  async function fetchMore(kind: TokenClass, count: number, signal?: AbortSignal): Promise<void> {
    await alone(async () => {
      const missing = count - (await held(kind)).length;
      if (missing <= 0) return;
      if (kind === tokenClasses.delivery)
        return issue(kind, Math.min(Math.max(count, low * 2), limits.tokensPerBatch), signal);
      for (let got = 0; got < missing; got += mediaBatch) await issue(kind, mediaBatch, signal);
    });
  }

  async function alone(work: () => Promise<void>): Promise<void> {
    while (fetching) await fetching.catch(() => undefined);
    fetching = work();
    try {
      await fetching;
    } finally {
      fetching = undefined;
    }
  }

  /** Those for attachments, once a day, whether any were used or not. */
  async function stockMedia(signal: AbortSignal): Promise<void> {
    const key = String(tokenClasses.media);
    const day = String(today());
    const row = await storage.read(stockNamespace, key);
    if (row && text.decode(row.bytes) === day) return;
    await alone(() => issue(tokenClasses.media, mediaBatch, signal));
    await storage.commit({
      put: [{ namespace: stockNamespace, key, bytes: new TextEncoder().encode(day) }],
    });
  }

  async function issue(kind: TokenClass, count: number, signal?: AbortSignal): Promise<void> {
    const [best, ...others] = await keys.present(kind, signal);
    try {
      await issueUnder(kind, best, count, signal);
    } catch (error) {
      const [other] = others;
      // Its day may have begun before ours.
      if (!other || !(error instanceof Fault && error.code === 'token_invalid')) throw error;
      await issueUnder(kind, other, count, signal);
    }
  }

  async function issueUnder(
    kind: TokenClass,
    { day, key }: TokenKey,
    count: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const options = signal ? { signal } : {};
    const { request, secrets } = blindTokens(kind, day, count);
    const asked = { class: kind, day, blinded: base64url(request) };
    const delivery = kind === tokenClasses.delivery;
    const answer = await session
      .call('issueTokens', asked, options)
      .catch(async (error: unknown) => {
        // Other devices of the account had the others.
        if (delivery && error instanceof Fault && error.code === 'tokens_exhausted')
          await storage.commit(await issuedRows(day, limits.deliveryTokensPerDay));
        throw error;
      });
    const tokens = finishTokens(secrets, answer, key);
    const counted = delivery ? await issuedRows(day, count) : { put: [], remove: [] };
    const made = tokens.map((token) => ({
      namespace,
      key: `${kind} ${String(day).padStart(8, '0')} ${base64url(token.input)}`,
      bytes: writeToken(new Writer(128), token).done(),
    }));
    const old = (await storage.list(namespace))
      .filter((row) => dayOf(row.key) < today() - 1)
      .map((row) => ({ namespace, key: row.key }));
    await storage.commit({
      put: [...made, ...counted.put],
      remove: [...old, ...counted.remove],
    });
  }

  /** Not in the same moment in which this device signs in, or gets tokens. */
  async function askAhead(signal: AbortSignal): Promise<void> {
    const late = now() % dayMs >= askAt;
    if ((await keys.known('today')) && (!late || (await keys.known('tomorrow')))) return;
    const between = () => apart.least + Math.random() * (apart.most - apart.least);
    await pause(between(), signal);
    if (signal.aborted) return;
    await keys.ahead(signal);
    await pause(between(), signal);
  }

  return {
    take,
    async keep(signal) {
      for (let attempt = 0; !signal.aborted; ) {
        try {
          await askAhead(signal);
          if (signal.aborted) return;
          if ((await held(tokenClasses.delivery)).length < low)
            await fetchMore(tokenClasses.delivery, low * 2, signal);
          await stockMedia(signal);
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

const text = new TextDecoder();
const dayOf = (key: string): number => Number(key.split(' ')[1]);
