/**
 * Segments at rest: sealed, each bound to its place in its chain. Their key has no day: the archive keeps none of
 * when anybody wrote, and a key's day would tell. docs/protocol/at-rest.md §4
 *
 *     row = account 16 ‖ u64 chain ‖ u64 seq
 */
import { UnopenedRecord } from '../kit/at-rest-record.ts';
import { sealFormerRows } from '../kit/former-rows.ts';
import type { Log } from '../kit/log.ts';
import type { Vault } from '../kit/vault.ts';
import type { ArchiveStore } from './database.ts';

/** Seals segments for a while: one group of writes. */
export type Seal = (account: string, chain: number, seq: number, segment: Uint8Array) => Buffer;

export interface SealedSegments {
  /** Never inside a transaction. */
  sealer(): Promise<Seal>;
  /** Nothing for a segment that does not open where it lies: the log says so. */
  open(account: string, chain: number, seq: number, sealed: Uint8Array): Buffer | undefined;
}

const column = 'bytes';

function rowOf(account: string, chain: number, seq: number): Buffer {
  const row = Buffer.alloc(32);
  row.write(account, 'hex');
  row.writeBigUInt64BE(BigInt(chain), 16);
  row.writeBigUInt64BE(BigInt(seq), 24);
  return row;
}

export function sealedSegments(vault: Vault, log: Log): SealedSegments {
  const table = vault.table('segments');
  return {
    async sealer() {
      const key = await table.keyOf(0);
      return (account, chain, seq, segment) =>
        table.seal(key, column, rowOf(account, chain, seq), segment);
    },
    open(account, chain, seq, sealed) {
      try {
        return table.open(column, rowOf(account, chain, seq), sealed);
      } catch (error) {
        if (!(error instanceof UnopenedRecord)) throw error;
        log.warn('segment_unopened', { code: error.code });
        return undefined;
      }
    },
  };
}

/** Those of before there were vaults. @returns how many */
export async function sealFormer(
  store: ArchiveStore,
  vault: Vault,
  sealed: SealedSegments,
): Promise<number> {
  let seal = await sealed.sealer();
  return sealFormerRows({
    store,
    vault,
    table: 'former_segments',
    keys: ['account', 'chain', 'seq'],
    async prepare() {
      seal = await sealed.sealer();
    },
    async insert(sql, row) {
      const account = String(row['account']);
      const [chain, seq] = [Number(row['chain']), Number(row['seq'])];
      await sql.run('INSERT INTO segments (account, chain, seq, bytes) VALUES (?, ?, ?, ?)', [
        account,
        chain,
        seq,
        seal(account, chain, seq, row['bytes'] as Uint8Array),
      ]);
    },
  });
}
