/**
 * Entries, posts and reports at rest: sealed, each bound to its place. Their keys have no day: nothing here tells when
 * anybody wrote. docs/protocol/at-rest.md §4
 *
 *     row = space or channel 16 ‖ u64 seq
 */
import { UnopenedRecord } from '../kit/at-rest-record.ts';
import type { Log } from '../kit/log.ts';
import type { Vault } from '../kit/vault.ts';

/** Seals rows for a while: one group of writes. */
export type Seal = (of: Uint8Array, seq: number, bytes: Uint8Array) => Buffer;

export interface SealedRows {
  /** Never inside a transaction. */
  sealer(): Promise<Seal>;
  /** Nothing for a row that does not open where it lies: the log says so. */
  open(of: Uint8Array, seq: number, sealed: Uint8Array): Buffer | undefined;
}

function rowOf(of: Uint8Array, seq: number): Buffer {
  const row = Buffer.alloc(24);
  row.set(of);
  row.writeBigUInt64BE(BigInt(seq), 16);
  return row;
}

export function sealedRows(
  vault: Vault,
  log: Log,
  { name, column }: { name: 'entries' | 'posts' | 'reports'; column: string },
): SealedRows {
  const table = vault.table(name);
  return {
    async sealer() {
      const key = await table.keyOf(0);
      return (of, seq, bytes) => table.seal(key, column, rowOf(of, seq), bytes);
    },
    open(of, seq, sealed) {
      try {
        return table.open(column, rowOf(of, seq), sealed);
      } catch (error) {
        if (!(error instanceof UnopenedRecord)) throw error;
        log.warn('space_row_unopened', { code: error.code });
        return undefined;
      }
    },
  };
}
