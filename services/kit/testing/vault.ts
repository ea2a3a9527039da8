/** Keys and sealing for tests that have no supervisor. */
import { createSecretKey, randomBytes } from 'node:crypto';
import {
  columnBytes,
  openRecord,
  placeBytes,
  sealRecord,
  UnopenedRecord,
} from '../at-rest-record.ts';
import type { Sealing } from '../sealing.ts';
import { deriveKek, type KeyWire, openServiceKeys, type ServiceKeys } from '../service-keys.ts';

const island = '00000000-0000-4000-8000-000000000000';

/** KEKs of a service under these master keys, the first of version 1. */
export const testKeyWire = (service: string, masters: readonly Uint8Array[]): KeyWire =>
  Object.fromEntries(
    masters.map((master, i) => [
      i + 1,
      deriveKek(master, island, i + 1, service).toString('base64url'),
    ]),
  );

export const testKeys = (
  service: string,
  masters: readonly Uint8Array[] = [randomBytes(32)],
): ServiceKeys => openServiceKeys(service, testKeyWire(service, masters));

/** Sealing under a key of its own, without a database. */
export function testSealing(): Sealing {
  const key = createSecretKey(randomBytes(32));
  const placeOf = (table: string, column: string, row: string) =>
    placeBytes(columnBytes('test', table, column), Buffer.from(row));
  return {
    seal: ({ table, column, row }, secret) =>
      sealRecord(key, 1, placeOf(table, column, row), secret),
    open({ table, column, row }, sealed) {
      const plain = openRecord(key, placeOf(table, column, row), sealed);
      if (plain === undefined) throw new UnopenedRecord(table, column);
      return new Uint8Array(plain);
    },
  };
}
