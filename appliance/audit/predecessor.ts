/**
 * A log that was begun in place of another one: what its island says of that, against what the log announced, and
 * against the copy that we have of the one before. docs/protocol/transparency.md §6.7, §9.2
 */
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import { operatorKinds } from '@island/protocol/transparency/leaves.ts';
import { predecessorText } from '@island/protocol/transparency/predecessor.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { SaidLog } from '@island/protocol/wire/routes.ts';
import { type Finding, finding } from './findings.ts';
import type { OwnLog } from './own-log.ts';
import { ownPrefix } from './own-proofs.ts';
import type { Tally } from './replay.ts';

/** What discovery says of the log before is what the third entry commits to; nothing where both say nothing. */
export function checkPredecessor(
  tally: Tally,
  said: SaidLog | undefined,
  found: { findings: Finding[]; notices: string[] },
): void {
  const announced = tally.announced.find(({ kind }) => kind === operatorKinds.predecessor);
  if (said === undefined || (announced === undefined && said.follows === undefined)) return;
  const { follows } = said;
  const hash = follows && sha256(utf8Bytes(predecessorText(follows)));
  if (!announced || !follows || !hash || !equal(hash, announced.hash)) {
    found.findings.push(finding('predecessor_not_logged'));
    return;
  }
  found.notices.push(
    `This log was begun in place of ${follows.vkey}, of which ${follows.size} entries were left and ${follows.seen} had been signed. Who has audited that one can tell what was lost.`,
  );
}

/** For who audits the log that another one was begun in place of: what is lost, as far as our copy tells. */
export async function tellSuccessor(
  log: OwnLog,
  { vkey, follows }: SaidLog,
  notices: string[],
): Promise<void> {
  const { size, pins } = log.kept;
  if (follows?.vkey !== pins.vkey) return;
  notices.push(
    `The island began another log in place of this one: island audit with --vkey ${vkey} looks at it.`,
  );
  if (follows.size > size || size === 0) return;
  const { root } = await ownPrefix(log, follows.size, size);
  notices.push(
    equal(root, follows.root)
      ? `It goes on from entry ${follows.size} of the copy that is kept here, which has ${size - follows.size} more.`
      : `What it says it goes on from is NOT what this log had at ${follows.size} entries.`,
  );
}
