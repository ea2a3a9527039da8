/**
 * Where a client keeps what it must not forget: rows of bytes under a namespace and a key.
 * docs/architecture.md §7. Two implementations (file, memory) pass one behaviour test.
 *
 * Invariant: `commit` is all or nothing and durable when it resolves. Several processes may use one
 * storage; what one of them computed from a row it commits with that row's version expected, so that
 * it can never overwrite what another wrote meanwhile (two ratchet steps from one state would use one
 * key twice).
 */

export interface Row {
  key: string;
  bytes: Uint8Array;
  /** Rises with every write and is never used again, also not after a removal. */
  version: number;
}

/** Where a row is. */
export interface Place {
  namespace: string;
  key: string;
}

export interface Put extends Place {
  bytes: Uint8Array;
}

export interface Batch {
  put?: readonly Put[];
  /** Rows under keys that the storage gives out: ascending, 16 digits, never given twice, in no namespace. */
  append?: readonly Append[];
  remove?: readonly Place[];
  /** What the rows must be for the batch to hold; version 0 says that there is no such row. */
  expect?: readonly (Place & { version: number })[];
}

export interface Append {
  namespace: string;
  bytes: Uint8Array;
  /** Rows in other namespaces under the key that this one is given. */
  beside?: readonly { namespace: string; bytes: Uint8Array }[];
}

export interface Commit {
  /** The version that every row of the batch now has. */
  version: number;
  /** Keys of the appended rows, in the order of `append`. */
  keys: string[];
}

export interface Range {
  /** Keys greater than this one. */
  after?: string;
  /** At most so many rows. */
  limit?: number;
  /** From the greatest key down; `after` then bounds from above. */
  reverse?: boolean;
}

export interface Storage extends AsyncDisposable {
  /** Where it lies, for sentences to a person. */
  readonly place: string;
  /** Steady while it is the same storage; another one after it was put back from a copy, as far as can be told. */
  readonly origin: string;
  read(namespace: string, key: string): Promise<Row | undefined>;
  /** Ascending by key. */
  list(namespace: string, range?: Range): Promise<Row[]>;
  /** Throws `Conflict` when an expectation does not hold; then nothing was written. */
  commit(batch: Batch): Promise<Commit>;
  /**
   * A section that one holder at a time may be in, over all processes of this storage. Ends with the
   * disposal, and with the death of the process. `undefined`: somebody else is in it.
   */
  tryLock(name: string): Promise<Disposable | undefined>;
  /** The same, waiting for it. Rejects with the signal's reason when aborted. */
  lock(name: string, signal?: AbortSignal): Promise<Disposable>;
  /** Calls the listener soon after any commit, whoever made it. Several commits may make one call. */
  watch(listener: () => void): Disposable;
}

/** Somebody else changed a row first. Read again and repeat the work. */
export class Conflict extends Error {
  override name = 'Conflict';
}

/** Repeats work that ends in a commit until no other process has come between. */
export async function untilCommitted<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    }
  }
}

/** Keys that the storage gives out sort as text in the order of their numbers. */
export const appendedKey = (number: number): string => String(number).padStart(16, '0');
