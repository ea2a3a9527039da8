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
