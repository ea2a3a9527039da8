/** What somebody has who stole the master key of an island along with its databases. docs/protocol/at-rest.md */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { readIsland } from '@island/provisioning/island-file.ts';
import { layoutOf } from '@island/provisioning/layout.ts';
import { keysOf, readMaster } from '@island/provisioning/master-key.ts';
import { columnBytes, kidOf, openRecord, placeBytes } from '@island/services/kit/at-rest-record.ts';
import { unwrapKey } from '@island/services/kit/vault-keys.ts';
import { bytesIn, rowsOf, type ServiceName, type Table } from './databases.ts';

export interface Opened {
  /** The data key of a table, the newest there is. */
  keyOf(table: string): KeyObject;
  /** @throws Error when it does not open */
  open(at: { table: string; column: string; row: Uint8Array }, record: Uint8Array): Buffer;
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
  return {
    keyOf(table) {
      const found = [...keys.values()].findLast(({ name }) => name === table);
      if (found === undefined) throw new Error(`no key for ${table}`);
      return found.key;
    },
    open({ table, column, row }, record) {
      const found = keys.get(kidOf(record) ?? 0);
      const place = placeBytes(columnBytes(service, table, column), row);
      const plain = found && openRecord(found.key, place, record);
      if (plain === undefined) throw new Error(`a record of ${table}.${column} does not open`);
      return plain;
    },
  };
}
