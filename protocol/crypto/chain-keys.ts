/**
 * The keys of a chain, from where this device was let in: every one can be made again, in any order.
 * docs/protocol/channel.md §5
 *
 *     message key = HMAC(chain key, 01) · next chain key = HMAC(chain key, 02)
 *
 * Nothing before the origin can be made. A chain key is kept for every 32nd place, so that the newest
 * post may be read first and pages backwards cost no more than forwards. A value: reaching further
 * answers another one.
 */
import { CryptoFault } from './crypto-fault.ts';
import { hmac } from './primitives.ts';

export const chainLimits = {
  /** Posts after which a device begins another chain. */
  posts: 1000,
  /** Seconds after which it does. */
  seconds: 7 * 86_400,
  /** Places that a reader goes on from the first one that it was given; a place beyond is refused before anything is computed. */
  reach: 2000,
  /** Chains of one device in one channel and key epoch that are kept although no post of them was read yet. */
  waiting: 5,
} as const;

const step = 32;
const one = Uint8Array.of(1);
const two = Uint8Array.of(2);

export interface ChainKeys {
  /** The first place whose key can be made. */
  readonly origin: number;
  /** Chain keys of `origin`, `origin + 32`, …, up to `next`. */
  readonly marks: readonly Uint8Array[];
  /** The place behind the furthest one reached, and its chain key. */
  readonly next: number;
  readonly key: Uint8Array;
}

/** Chain keys that are kept from `origin` up to `next`, the first included. */
export const markCount = (origin: number, next: number): number =>
  Math.floor((next - origin) / step) + 1;

/** 32 bytes `chainKey`, the one of place `origin`. */
export const beginKeys = (origin: number, chainKey: Uint8Array): ChainKeys => ({
  origin,
  marks: [chainKey],
  next: origin,
  key: chainKey,
});

/** Throws `before_chain` below the origin and `too_far_ahead` beyond the reach, before any work. */
function checkReach({ origin }: ChainKeys, iteration: number): void {
  if (iteration < origin) throw new CryptoFault('before_chain');
  if (iteration - origin >= chainLimits.reach) throw new CryptoFault('too_far_ahead');
}

/** The chain key of a place; at most `chainLimits.reach` HMACs, at most 31 where it was reached before. */
export function chainKeyAt(keys: ChainKeys, iteration: number): Uint8Array {
  checkReach(keys, iteration);
  let { next: at, key } = keys;
  if (iteration < at) {
    const mark = Math.floor((iteration - keys.origin) / step);
    at = keys.origin + mark * step;
    key = keys.marks[mark] as Uint8Array;
  }
  for (; at < iteration; at++) key = hmac(key, two);
  return key;
}

/** What opens or seals the post at a place, 32 bytes. Faults as `chainKeyAt`. */
export const messageKeyAt = (keys: ChainKeys, iteration: number): Uint8Array =>
  hmac(chainKeyAt(keys, iteration), one);

/**
 * The message keys of `places` (ascending, none twice), each for what a step costs, and the keys that
 * have reached the last of them. Faults as `chainKeyAt`, for the first and the last place.
 */
export function messageKeysAt(
  keys: ChainKeys,
  places: readonly number[],
): { keys: ChainKeys; messageKeys: Uint8Array[] } {
  const [first, last] = [places[0], places.at(-1)];
  if (first === undefined || last === undefined) return { keys, messageKeys: [] };
  checkReach(keys, first);
  checkReach(keys, last);
  const marks = keys.marks.slice();
  const messageKeys: Uint8Array[] = [];
  let key = chainKeyAt(keys, Math.min(first, keys.next));
  for (let at = Math.min(first, keys.next); at <= last; ) {
    if (at === places[messageKeys.length]) messageKeys.push(hmac(key, one));
    key = hmac(key, two);
    at++;
    if ((at - keys.origin) % step === 0 && (at - keys.origin) / step === marks.length)
      marks.push(key);
  }
  const further = last >= keys.next;
  return { keys: further ? { ...keys, marks, next: last + 1, key } : keys, messageKeys };
}
