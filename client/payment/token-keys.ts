/**
 * The public keys that tokens are issued under, as this home has pinned them. docs/protocol/tokens.md §4
 *
 * Invariant: the day is chosen by our own clock, and there is one key for each class of today and one of
 * tomorrow, the same ever after. An island that could choose the day, or a key, for one account would know
 * its tokens by them. Each time they are asked for on a connection of its own, a day ahead where possible.
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import { type TokenClass, tokenClasses } from '@island/protocol/wire/token.ts';
import { Problem } from '../problem.ts';
import { Conflict, type Storage } from '../storage/storage.ts';
import { callApart, type Transport } from '../transport/transport.ts';

export interface TokenKey {
  day: number;
  /** 32 bytes. */
  key: Uint8Array;
}

export interface TokenKeys {
  /**
   * Those that tokens may be got under now, the best first: today's, and around midnight also that of the
   * day which a clock that differs a little may have. Asks only when there are none.
   * Throws `clock_wrong`, `token_keys_differ`, and what a call throws.
   */
  present(kind: TokenClass, signal?: AbortSignal): Promise<readonly [TokenKey, ...TokenKey[]]>;
  /** Whether those of today are pinned, or of tomorrow. */
  known(day: 'today' | 'tomorrow'): Promise<boolean>;
  /** Pins those of today and tomorrow, unless they are pinned. Throws what `present` throws. */
  ahead(signal?: AbortSignal): Promise<void>;
}

export const tokenKeysNamespace = 'token-keys';
const namespace = tokenKeysNamespace;
export const dayMs = 86_400_000;
/** Milliseconds that our clock may differ from the island's. */
const tolerance = 3_600_000;
/** Days for which keys are remembered after theirs. */
const remembered = 7;
/** Milliseconds for which a clock that was found wrong is not held against the island's again. */
const patience = 60_000;

const kinds = Object.values(tokenClasses);
const place = (kind: TokenClass, day: number): string => `${kind} ${day}`;

export function openTokenKeys({
  storage,
  transport,
  now,
}: {
  storage: Storage;
  transport: Transport;
  /** Unix milliseconds. */
  now: () => number;
}): TokenKeys {
  const dayAt = (ms: number): number => Math.floor(ms / dayMs);
  /** What the island may call today. */
  const candidates = (): number[] => [
    ...new Set([dayAt(now()), dayAt(now() - tolerance), dayAt(now() + tolerance)]),
  ];
  /** When, and how far our clock was from the running time of this machine: one that was set since is tried at once. */
  let wrong: { at: number; offset: number } | undefined;
  const offset = (): number => now() - performance.now();

  async function pinned(kind: TokenClass, day: number): Promise<TokenKey | undefined> {
    const row = await storage.read(namespace, place(kind, day));
    return row && { day, key: row.bytes };
  }

  async function ask(signal?: AbortSignal): Promise<void> {
    if (
      wrong &&
      performance.now() - wrong.at < patience &&
      Math.abs(offset() - wrong.offset) < 1000
    )
      throw new Problem('clock_wrong');
    const { keys } = await callApart(transport, 'tokenKeys', {}, signal ? { signal } : {});
    const first = Math.min(...keys.map(({ day }) => day));
    // One key for each class of two days, and nothing else.
    const names = new Set(keys.map((each) => place(each.class, each.day)));
    const due = kinds.flatMap((kind) => [place(kind, first), place(kind, first + 1)]);
    if (keys.length !== due.length || !due.every((name) => names.has(name)))
      throw new Problem('token_keys_differ');
    if (!candidates().includes(first)) {
      wrong = { at: performance.now(), offset: offset() };
      throw new Problem('clock_wrong');
    }
    wrong = undefined;
    for (let pins = false; !pins; ) {
      const held = new Map(
        (await storage.list(namespace)).map(({ key, bytes }) => [key, bytes] as const),
      );
      const fresh = [];
      for (const each of keys) {
        const key = place(each.class, each.day);
        const known = held.get(key);
        if (known && !equal(known, each.public)) throw new Problem('token_keys_differ');
        if (!known) fresh.push({ namespace, key, bytes: each.public });
      }
      const today = dayAt(now());
      const gone = [...held.keys()].filter((key) => {
        const day = Number(key.split(' ')[1]);
        return day < today - remembered || day > today + 2;
      });
      try {
        await storage.commit({
          put: fresh,
          remove: gone.map((key) => ({ namespace, key })),
          expect: fresh.map(({ key }) => ({ namespace, key, version: 0 })),
        });
        pins = true;
      } catch (error) {
        // Another process of this home was quicker: its pins count.
        if (!(error instanceof Conflict)) throw error;
      }
    }
  }

  async function known(day: 'today' | 'tomorrow'): Promise<boolean> {
    const which = dayAt(now()) + (day === 'today' ? 0 : 1);
    const held = await Promise.all(kinds.map((kind) => pinned(kind, which)));
    return held.every(Boolean);
  }

  return {
    async present(kind, signal) {
      const today = dayAt(now());
      if (!(await pinned(kind, today))) await ask(signal);
      // Not yesterday's: no island issues under it when it is tomorrow's by our clock.
      const days = candidates().filter((day) => day >= today);
      const keys = await Promise.all(days.map((day) => pinned(kind, day)));
      const [best, ...others] = keys.filter((key) => key !== undefined);
      if (!best) throw new Problem('clock_wrong');
      return [best, ...others];
    },
    known,
    async ahead(signal) {
      if (!(await known('today')) || !(await known('tomorrow'))) await ask(signal);
    },
  };
}
