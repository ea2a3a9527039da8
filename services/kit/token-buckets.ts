/** So many at once, then so many a second, for each key: addresses, sign-ins. In memory. docs/protocol/limits.md §2 */

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
   * @param now milliseconds; of a clock that goes back nothing is lost but the refill
   */
  take(key: string, now: number): number {
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, at: now };
    const refilled = bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * this.#perSecond;
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

  /** The key's bucket is full again. */
  forgive(key: string): void {
    this.#buckets.delete(key);
  }

  #forgetOldest(): void {
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key);
      return;
    }
  }
}
