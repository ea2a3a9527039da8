/**
 * Evidence of what a replay found, out of our own copy of the log. A file is written only where it convicts by
 * itself: it has been verified as anybody else will verify it. docs/protocol/transparency.md §9.1
 */
import { verifyEvidence } from '@island/protocol/transparency/conviction.ts';
import {
  type Evidence,
  type EvidenceKind,
  evidenceEnding,
  formatEvidence,
} from '@island/protocol/transparency/evidence.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import type { Cause, Finding } from './findings.ts';
import type { OwnLog } from './own-log.ts';
import { ownProofs } from './own-proofs.ts';
import type { Found } from './replay.ts';

const kinds: Partial<Record<Cause, EvidenceKind>> = {
  entry_malformed: 'entry',
  vrf_changed: 'entry',
  end_without_epoch: 'end',
  version_repeated: 'version',
  version_backwards: 'version',
  version_skipped: 'version',
  chain_broken: 'version',
  erased_goes_on: 'version',
  time_backwards: 'time',
  span_wrong: 'span',
  operator_number_wrong: 'operator',
};

/** The finding with the name of the file that convicts, where there is one. */
export async function prosecute(log: OwnLog, { other, ...finding }: Found): Promise<Finding> {
  const kind = kinds[finding.cause];
  const { entry } = finding;
  if (kind === undefined || entry === undefined) return finding;
  const indices = [other, entry].filter((index) => index !== undefined && index >= 0);
  const { note, size } = log.kept;
  const leaves = await ownProofs(log, size, indices as number[]);
  const shown = leaves.map((leaf) => ({ note: 0, ...leaf }));
  const evidence = await file(log, `${finding.cause}-${entry}`, {
    kind,
    notes: [note],
    leaves: shown,
  });
  return evidence === undefined ? finding : { ...finding, evidence };
}

/** Path of the file; `undefined` where the evidence convicts nobody. */
export async function file(
  log: OwnLog,
  name: string,
  evidence: Evidence,
): Promise<string | undefined> {
  const { vkey, policy } = log.kept.pins;
  try {
    const text = formatEvidence(evidence);
    verifyEvidence(text, { vkey, policy });
    return await log.write(`${name.replaceAll('_', '-')}${evidenceEnding}`, text);
  } catch (error) {
    if (error instanceof TransparencyFault) return undefined;
    throw error;
  }
}
