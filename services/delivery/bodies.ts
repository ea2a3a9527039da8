/**
 * Bodies of envelopes at rest: sealed under the key of the day on which they came, each bound to its place in
 * its mailbox and to its id. The key goes when the day's envelopes have expired. docs/protocol/at-rest.md §4
 *
 *     row = mailbox 20 ‖ u64 seq ‖ id 16
 */
import { UnopenedRecord } from '../kit/at-rest-record.ts';
import { sealFormerRows } from '../kit/former-rows.ts';
import type { Log } from '../kit/log.ts';
import type { Row, SqlValue } from '../kit/store-handle.ts';
import type { DayKey, Vault } from '../kit/vault.ts';
import type { DeliveryStore } from './database.ts';

/** Seals what comes on one day. */
export interface Sealer {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  seal(mailbox: Uint8Array, seq: number, id: Uint8Array, body: Uint8Array): Buffer;
}

export interface Bodies {
  /** Never inside a transaction. */
  of(day: number): Promise<Sealer>;
  /** Nothing for a body that does not open where it lies: it alone is lost, and the log says so. */
  open(mailbox: Uint8Array, seq: number, id: Uint8Array, sealed: Uint8Array): Buffer | undefined;
  /** What came before this day can't be opened any more, wherever a copy of it lies. */
  drop(beforeDay: number): Promise<void>;
}

const column = 'body';

function rowOf(mailbox: Uint8Array, seq: number, id: Uint8Array): Buffer {
  const row = Buffer.allocUnsafe(44);
  row.set(mailbox);
  row.writeUIntBE(0, 20, 2);
  row.writeUIntBE(seq, 22, 6);
  row.set(id, 28);
  return row;
}

export function openBodies(vault: Vault, log: Log): Bodies {
  const table = vault.table('envelopes');
  return {
    async of(day) {
      const key: DayKey = await table.keyOf(day);
      return {
        day,
        seal: (mailbox, seq, id, body) => table.seal(key, column, rowOf(mailbox, seq, id), body),
      };
    },
    open(mailbox, seq, id, sealed) {
      try {
        return table.open(column, rowOf(mailbox, seq, id), sealed);
      } catch (error) {
        if (!(error instanceof UnopenedRecord)) throw error;
        log.warn('envelope_unopened', { code: error.code });
        return undefined;
      }
    },
    async drop(beforeDay) {
      await table.drop(beforeDay);
    },
  };
}

/** Those of before there were vaults. @returns how many */
export function sealFormer(store: DeliveryStore, vault: Vault, bodies: Bodies): Promise<number> {
  const sealers = new Map<number, Sealer>();
  const bytes = (row: Row, name: string): Uint8Array => row[name] as Uint8Array;
  return sealFormerRows({
    store,
    vault,
    table: 'former_envelopes',
    keys: ['mailbox', 'seq'],
    async prepare(rows) {
      for (const row of rows) sealers.set(Number(row['day']), await bodies.of(Number(row['day'])));
    },
    async insert(sql, row) {
      const [mailbox, id, seq] = [bytes(row, 'mailbox'), bytes(row, 'id'), Number(row['seq'])];
      const day = Number(row['day']);
      const sealed = sealers.get(day)?.seal(mailbox, seq, id, bytes(row, 'body'));
      await sql.run(
        'INSERT INTO envelopes (mailbox, seq, id, body, day, request) VALUES (?, ?, ?, ?, ?, ?)',
        [mailbox, seq, id, sealed ?? null, day, row['request'] as SqlValue],
      );
    },
  });
}
