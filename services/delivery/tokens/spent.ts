/**
 * Spent tokens, each with the context that it was spent in: the hash of what it paid for. Rows are
 * written in the transaction of that, and go when the key of their day does. docs/protocol/tokens.md §7
 */
import type { SqlValue, Statements } from '../../kit/store-handle.ts';
import { inGroups, marks } from '../row-groups.ts';

/** A token as the transaction sees it: `id` is its `tokenId`, 16 bytes. */
export interface Spendable {
  day: number;
  id: Buffer;
  /** `id` in hex. */
  name: string;
}

/** What is known of some tokens, and what the transaction adds. */
export interface Ledger {
  has(token: Spendable): boolean;
  /** Whether one of them was spent in another context. */
  isAnother(tokens: readonly Spendable[], context: Uint8Array): boolean;
  spend(tokens: readonly Spendable[], context: Uint8Array): void;
  /** Stores what was spent since it was loaded. */
  save(sql: Pick<Statements, 'run'>): Promise<void>;
}

export async function loadSpent(
  tokens: readonly Spendable[],
  sql: Pick<Statements, 'rows'>,
): Promise<Ledger> {
  const contexts = new Map<string, Buffer>();
  for (const group of inGroups(tokens, true)) {
    const rows = await sql.rows<{ token: Buffer; context: Buffer }>(
      `SELECT token, context FROM spent WHERE (day, token) IN (VALUES ${marks('(?,?)', group)})`,
      group.flatMap(({ day, id }) => [day, id]),
    );
    for (const { token, context } of rows) contexts.set(token.toString('hex'), context);
  }
  const added: { day: number; id: Buffer; context: Buffer }[] = [];
  return {
    has: ({ name }) => contexts.has(name),
    isAnother: (tokens, context) =>
      tokens.some(({ name }) => contexts.get(name)?.equals(context) === false),
    spend(tokens, given) {
      const context = Buffer.from(given);
      for (const { day, id, name } of tokens) {
        if (contexts.has(name)) continue;
        contexts.set(name, context);
        added.push({ day, id, context });
      }
    },
    async save(sql) {
      for (const group of inGroups(added)) {
        await sql.run(
          `INSERT INTO spent (day, token, context) VALUES ${marks('(?,?,?)', group)}`,
          group.flatMap(({ day, id, context }): SqlValue[] => [day, id, context]),
        );
      }
    },
  };
}
