/** Limits in memory: sliding windows for sockets (T6), token buckets for addresses. docs/protocol/limits.md §2 */

/**
 * At most `limit` events within any `windowMs`: exact, from a ring of the last `limit` times.
 * A refused event leaves no trace, so whoever slows down is served again at once.
 */
export class SlidingWindow {
  readonly #times: Float64Array;
  readonly #windowMs: number;
  #next = 0;

  constructor(limit: number, windowMs: number) {
    this.#times = new Float64Array(limit).fill(Number.NEGATIVE_INFINITY);
    this.#windowMs = windowMs;
  }

  /** @param now milliseconds of a clock that never goes back */
  take(now: number): boolean {
    const oldest = this.#times[this.#next] ?? Number.NEGATIVE_INFINITY;
    if (now - oldest < this.#windowMs) return false;
    this.#times[this.#next] = now;
    this.#next = (this.#next + 1) % this.#times.length;
    return true;
  }
}

interface Bucket {
  tokens: number;
  at: number;
}

/** A bucket for each key, refilled steadily. Holds at most `keys` of them: the one unused longest goes first. */
export class TokenBuckets {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #keys: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: { perSecond: number; burst: number; keys: number }) {
    this.#perSecond = options.perSecond;
    this.#burst = options.burst;
    this.#keys = options.keys;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /**
   * Takes one token. Answers 0, or the seconds (rounded up) until there is one again.
   * @param now milliseconds of a clock that never goes back
   */
  take(key: string, now: number): number {
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, at: now };
    const refilled = bucket.tokens + ((now - bucket.at) / 1000) * this.#perSecond;
    bucket.tokens = Math.min(this.#burst, refilled);
    bucket.at = now;
    // Deleted and set again: the map's order is the order of use.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#keys) this.#forgetOldest();
    if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / this.#perSecond));
    bucket.tokens -= 1;
    return 0;
  }

  #forgetOldest(): void {
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key);
      return;
    }
  }
}
