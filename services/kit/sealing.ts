/**
 * Single secrets in a database, sealed to their place by the service's vault: tables of rows without a day,
 * whose keys are ready before anything asks. docs/protocol/at-rest.md §4
 */
import type { DayKey, Vault, VaultTable } from './vault.ts';

/** Where a value lies; `row` is the primary key as text. */
export interface Place {
  table: string;
  column: string;
  row: string;
}

export interface Sealing {
  seal(place: Place, secret: Uint8Array): Buffer;
  /** @throws UnopenedRecord when the value was not sealed for this place, or was changed */
  open(place: Place, sealed: Uint8Array): Uint8Array<ArrayBuffer>;
}

/** Seals between two looks whether the key is good for more. */
const look = 1024;

/** @param names of the tables that hold sealed values */
export async function openSealing(vault: Vault, names: readonly string[]): Promise<Sealing> {
  const tables = new Map<string, { table: VaultTable; key: DayKey }>();
  for (const name of names) {
    const table = vault.table(name);
    tables.set(name, { table, key: await table.keyOf(0) });
  }
  const of = (name: string): { table: VaultTable; key: DayKey } => {
    const found = tables.get(name);
    if (found === undefined) throw new TypeError(`no table of sealed values: ${name}`);
    return found;
  };
  return {
    seal({ table: name, column, row }, secret) {
      const held = of(name);
      const sealed = held.table.seal(held.key, column, Buffer.from(row), secret);
      if (held.key.left % look === 0)
        held.table.keyOf(0).then(
          (key) => {
            held.key = key;
          },
          // The next look asks again; a key that is used up refuses by itself.
          () => undefined,
        );
      return sealed;
    },
    open: ({ table: name, column, row }, sealed) =>
      new Uint8Array(of(name).table.open(column, Buffer.from(row), sealed)),
  };
}
