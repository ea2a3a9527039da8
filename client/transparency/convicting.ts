/** What shows others that the log of the island contradicts itself. docs/protocol/transparency.md §9 */
import { formatEvidence } from '@island/protocol/transparency/evidence.ts';
import { tileReader } from '@island/protocol/transparency/tiles.ts';
import { consistencyProof, rootAt } from '@island/protocol/transparency/tree-proofs.ts';
import type { HeadConflict } from './head.ts';
import type { LogFiles } from './log-files.ts';

/** `undefined` where it convinces nobody who was not there, or the island no longer shows what is needed. */
export async function evidenceOf(
  { fault, known, shown }: HeadConflict,
  files: LogFiles,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const notes = [known.note, shown.note];
  if (fault.code === 'forked') return formatEvidence({ kind: 'fork', notes, leaves: [] });
  if (fault.code !== 'consistency_invalid') return undefined;
  const [older, newer] = known.size < shown.size ? [known, shown] : [shown, known];
  try {
    const read = tileReader(newer, (path) => files.read(path, signal));
    const root = await rootAt(older.size, read);
    const proof = await consistencyProof(older.size, newer.size, read);
    const rewritten = [older.note, newer.note];
    return formatEvidence({
      kind: 'rewrite',
      notes: rewritten,
      leaves: [],
      prefix: { root, proof },
    });
  } catch {
    return undefined;
  }
}
