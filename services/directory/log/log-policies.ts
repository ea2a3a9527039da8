/** The first policy of a log: nobody is asked, and everybody is told so. docs/protocol/transparency.md §6 */
import { formatPolicy } from '@island/protocol/transparency/policy.ts';
import { encodeTlogProof } from '@island/protocol/transparency/tlog-proof.ts';
import { inclusionProof } from '@island/protocol/transparency/tree-proofs.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { DirectoryStore } from '../database.ts';
import type { LogHashes } from './log-hashes.ts';
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

/**
 * That the log went on to this policy, in a checkpoint which the witnesses of the one before have signed: as
 * c2sp.org/tlog-proof of its OPERATOR entry, with the text of the policy beside. Throws `not_found`.
 */
export async function policyProof(
  store: DirectoryStore,
  hashes: LogHashes,
  number: number,
): Promise<string> {
  const [epoch] = await store.rows<{ size: number; note: string } & Record<string, unknown>>(
    `SELECT size, published AS note FROM log_epochs
     WHERE policy >= ? AND published IS NOT NULL ORDER BY number LIMIT 1`,
    [number],
  );
  if (epoch === undefined || number < 1) throw new Fault('not_found');
  const { text } = await policyOf(store, number);
  const index = await policyEntryOf(store, number);
  const proof = await inclusionProof(index, epoch.size, hashes.read);
  return encodeTlogProof({ extra: utf8Bytes(text), index, proof, checkpoint: epoch.note });
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
