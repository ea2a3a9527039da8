/** The first policy of a log: nobody is asked, and everybody is told so. docs/protocol/transparency.md §6 */
import { formatPolicy } from '@island/protocol/transparency/policy.ts';
import type { DirectoryStore } from '../database.ts';
import type { LogKeys } from './log-keys.ts';

export interface PolicyRow {
  number: number;
  text: string;
}

/** Makes the first one where there is none. */
export async function beginPolicies(store: DirectoryStore, { signer }: LogKeys): Promise<void> {
  const text = formatPolicy({
    logs: [{ vkey: signer.vkey }],
    witnesses: [],
    groups: [],
    quorum: undefined,
  });
  await store.write(async (_db, sql) => {
    const [row] = await sql.rows('SELECT number FROM policies LIMIT 1');
    if (row !== undefined) return;
    await sql.run('INSERT INTO policies (number, text, published) VALUES (1, ?, 0)', [text]);
  });
}

export async function policyOf(store: DirectoryStore, number: number): Promise<PolicyRow> {
  const [row] = await store.rows('SELECT text FROM policies WHERE number = ?', [number]);
  return { number, text: String(row?.['text']) };
}

/** Index of the OPERATOR entry that announced it: policies come first in their epoch, in their order. */
export async function policyEntryOf(store: DirectoryStore, number: number): Promise<number> {
  const [row] = await store.rows<{ behind: number; before: number } & Record<string, unknown>>(
    `SELECT coalesce(max(size), 0) AS behind, coalesce(max(policy), 0) AS before
     FROM log_epochs WHERE policy < ?`,
    [number],
  );
  const { behind = 0, before = 0 } = row ?? {};
  return behind + number - before - 1;
}
