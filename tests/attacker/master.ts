/** What somebody has who stole the master key of an island along with its databases. docs/protocol/at-rest.md */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { readIsland } from '@island/provisioning/island-file.ts';
import { layoutOf } from '@island/provisioning/layout.ts';
import { keysOf, readMaster } from '@island/provisioning/master-key.ts';
import {
  columnBytes,
  kidOf,
  openRecord,
  placeBytes,
  sealRecord,
} from '@island/services/kit/at-rest-record.ts';
import { unwrapKey } from '@island/services/kit/vault-keys.ts';
import { bytesIn, type Row, rowsOf, type ServiceName, type Table } from './databases.ts';

interface Place {
  table: string;
  column: string;
  row: Uint8Array;
}

export interface Opened {
  /** The data key of a table, the newest there is. */
  keyOf(table: string): KeyObject;
  /** As the island itself would. */
  seal(at: Place, plain: Uint8Array): Buffer;
  /** @throws Error when it does not open */
  open(at: Place, record: Uint8Array): Buffer;
}

export async function withMaster(
  data: string,
  service: ServiceName,
  tables: readonly Table[],
): Promise<Opened> {
  const island = await readIsland(layoutOf(data));
  if (island?.masterKey === undefined) throw new Error('the island has no master key');
  const keks = keysOf(await readMaster(island.masterKey, island.id), service);
  const keys = new Map<number, { name: string; key: KeyObject }>();
  for (const row of rowsOf(tables, service, 'vault_keys')) {
    const [kid, name, day, kek] = ['kid', 'name', 'day', 'kek'].map((column) => row[column]);
    const wrapped = {
      ...{ kid: Number(kid), name: String(name), day: Number(day), kek: Number(kek) },
      ...{ wrapped: bytesIn(row, 'wrapped'), used: 0 },
    };
    const kekKey = createSecretKey(Buffer.from(keks[wrapped.kek] ?? '', 'base64url'));
    const key = unwrapKey(kekKey, service, wrapped);
    if (key !== undefined) keys.set(wrapped.kid, { name: wrapped.name, key });
  }
  const placeOf = ({ table, column, row }: Place) =>
    placeBytes(columnBytes(service, table, column), row);
  return {
    seal(at, plain) {
      const [kid, found] = [...keys].findLast(([, { name }]) => name === at.table) ?? [];
      if (kid === undefined || found === undefined) throw new Error(`no key for ${at.table}`);
      return sealRecord(found.key, kid, placeOf(at), plain);
    },
    keyOf(table) {
      const found = [...keys.values()].findLast(({ name }) => name === table);
      if (found === undefined) throw new Error(`no key for ${table}`);
      return found.key;
    },
    open(at, record) {
      const { table, column } = at;
      const found = keys.get(kidOf(record) ?? 0);
      const plain = found && openRecord(found.key, placeOf(at), record);
      if (plain === undefined) throw new Error(`a record of ${table}.${column} does not open`);
      return plain;
    },
  };
}

/** The tables with what is sealed of people's as it was before it was sealed at rest. */
export async function unsealed(data: string, tables: readonly Table[]): Promise<Table[]> {
  const kinds = [
    {
      service: 'delivery',
      name: 'envelopes',
      column: 'body',
      rowOf: (row: Row) => [bytesIn(row, 'mailbox'), u64(row['seq']), bytesIn(row, 'id')],
    },
    {
      service: 'archive',
      name: 'segments',
      column: 'bytes',
      rowOf: (row: Row) => [segmentRow(row)],
    },
    {
      service: 'spaces',
      name: 'entries',
      column: 'entry',
      rowOf: (row: Row) => [bytesIn(row, 'space'), u64(row['seq'])],
    },
    {
      service: 'spaces',
      name: 'posts',
      column: 'post',
      rowOf: (row: Row) => [postRow(row)],
    },
    {
      service: 'spaces',
      name: 'reports',
      column: 'sealed',
      rowOf: (row: Row) => [bytesIn(row, 'space'), u64(row['number'])],
    },
  ] as const;
  const found = [...tables];
  for (const { service, name, column, rowOf } of kinds) {
    const opened = await withMaster(data, service, tables);
    const rows = rowsOf(tables, service, name).map((row) => {
      const at = { table: name, column, row: Buffer.concat(rowOf(row)) };
      return { ...row, [column]: new Uint8Array(opened.open(at, bytesIn(row, column))) };
    });
    const i = found.findIndex((table) => table.service === service && table.name === name);
    found[i] = { service, name, rows };
  }
  return found;
}

/** The name of a segment's row. */
export const segmentRow = (row: Row): Buffer =>
  Buffer.concat([Buffer.from(String(row['account']), 'hex'), u64(row['chain']), u64(row['seq'])]);

/** The name of a post's row. */
export const postRow = (row: Row): Buffer =>
  Buffer.concat([bytesIn(row, 'channel'), u64(row['seq'])]);

function u64(value: unknown): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(Number(value)));
  return bytes;
}
