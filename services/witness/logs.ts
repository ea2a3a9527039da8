/**
 * Rows of the witness, sealed: which log it is, and how far it was seen. docs/protocol/at-rest.md §4
 *
 *     row  = SHA-256( origin )
 *     log  = u8 1 ‖ u8 1 ‖ u8 trusted + 2 × headed ‖ var16 origin ‖ u8 n ‖ n × var16 vkey
 *     head = u8 1 ‖ u8 2 ‖ u64 size ‖ root 32 ‖ u64 signed, Unix seconds ‖ var32 note
 *
 * A row that does not open is an error and never an absent one, nor is a head that is missing where the log says
 * that there is one: a witness that took it for absent would sign another history from the beginning.
 */
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { noteFromBytes, noteMax } from '@island/protocol/transparency/note.ts';
import { emptyRoot } from '@island/protocol/transparency/tree.ts';
import { Reader, utf8Bytes, Writer } from '@island/protocol/wire/bytes.ts';
import { UnopenedRecord } from '../kit/at-rest-record.ts';
import type { Statements } from '../kit/store-handle.ts';
import type { DayKey, Vault, VaultTable } from '../kit/vault.ts';

/** A log that the operator named at some time. */
export interface KnownLog {
  origin: string;
  /** Verifier keys; one of them has to have signed. */
  keys: readonly string[];
  trusted: boolean;
}

/** The newest checkpoint that was cosigned. */
export interface Head {
  /** 0 before the first. */
  size: number;
  root: Uint8Array;
  /** Unix seconds of the newest signature on it; 0 before the first. */
  signed: number;
  /** With the log's signature and ours. */
  note: string;
}

export interface Row {
  log: KnownLog;
  head: Head;
}

export const noHead: Head = { size: 0, root: emptyRoot, signed: 0, note: '' };

export const idOf = (origin: string): Uint8Array => sha256(utf8Bytes(origin));

/** `read` inside a transaction or outside of one. */
export interface Rows {
  /** Never inside a transaction. */
  ready(): Promise<void>;
  /** @throws UnopenedRecord for a row that was changed */
  find(sql: Pick<Statements, 'rows'>, id: Uint8Array): Promise<Row | undefined>;
  all(sql: Pick<Statements, 'rows'>): Promise<Row[]>;
  /** Both as one: with the head that was found in this transaction, or the one that follows it. */
  put(sql: Statements, row: Row): Promise<void>;
}

interface Stored extends Record<string, unknown> {
  id: Buffer;
  log: Buffer;
  head: Buffer | null;
}

export async function openRows(vault: Vault): Promise<Rows> {
  const table = vault.table('logs');
  let key: DayKey = await table.keyOf(0);
  return {
    async ready() {
      key = await table.keyOf(0);
    },
    async find(sql, id) {
      const found = await sql.rows<Stored>('SELECT id, log, head FROM logs WHERE id = ?', [id]);
      return found[0] && opened(table, found[0]);
    },
    async all(sql) {
      const found = await sql.rows<Stored>('SELECT id, log, head FROM logs');
      return found.map((stored) => opened(table, stored));
    },
    async put(sql, { log, head }) {
      const id = idOf(log.origin);
      await sql.run(
        `INSERT INTO logs (id, log, head) VALUES (?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET log = excluded.log, head = excluded.head`,
        [
          id,
          table.seal(key, 'log', id, encodeLog(log)),
          table.seal(key, 'head', id, encodeHead(head)),
        ],
      );
    },
  };
}

function opened(table: VaultTable, { id, log, head }: Stored): Row {
  const { headed, ...known } = readLog(table.open('log', id, log));
  if (head === null && headed) throw new UnopenedRecord('logs', 'head');
  return { log: known, head: head === null ? noHead : readHead(table.open('head', id, head)) };
}

const flags = { trusted: 1, headed: 2 } as const;

function encodeLog({ origin, keys, trusted }: KnownLog): Uint8Array {
  const writer = new Writer().u8(1).u8(1);
  writer.u8(flags.headed | (trusted ? flags.trusted : 0));
  writer.text16(origin).u8(keys.length);
  for (const key of keys) writer.text16(key);
  return writer.done();
}

function readLog(bytes: Uint8Array): KnownLog & { headed: boolean } {
  const reader = new Reader(bytes).header(1, 1);
  const said = reader.u8();
  const origin = reader.text16();
  const keys = Array.from({ length: reader.u8() }, () => reader.text16());
  reader.end();
  const trusted = (said & flags.trusted) !== 0;
  return { origin, keys, trusted, headed: (said & flags.headed) !== 0 };
}

const encodeHead = ({ size, root, signed, note }: Head): Uint8Array =>
  new Writer().u8(1).u8(2).u64(size).raw(root).u64(signed).var32(utf8Bytes(note)).done();

function readHead(bytes: Uint8Array): Head {
  const reader = new Reader(bytes).header(1, 2);
  const head = { size: reader.u64(), root: reader.raw(32), signed: reader.u64() };
  const note = noteFromBytes(reader.var32(noteMax));
  reader.end();
  return { ...head, note };
}
