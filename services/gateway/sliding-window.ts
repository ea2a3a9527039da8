/** The limit of a socket (T6): so many events in any window of time, wherever it begins. docs/protocol/limits.md §2 */

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
