/**
 * That the witness policy which a home began with is one that the log announced. An island that told one home a
 * policy of its own could show it checkpoints that nobody has witnessed. docs/protocol/transparency.md §8.2
 */
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import { encodeOperator, operatorKinds } from '@island/protocol/transparency/leaves.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Head } from './head.ts';
import { hashesOf, type LogFiles } from './log-files.ts';
import { forgetPins, type Pins, replacePins } from './pins.ts';

/**
 * Looks once for a home; a policy that follows was shown to by the log itself. `head`: a checkpoint that was accepted.
 * Throws `log_unproved`, and then what was pinned is forgotten; and what reading the log throws.
 */
export async function checkPolicy(
  storage: Storage,
  files: LogFiles,
  pins: Pins,
  head: Pick<Head, 'size' | 'root'>,
  signal?: AbortSignal,
): Promise<void> {
  const { policyEntry, ...kept } = pins;
  if (policyEntry === undefined) return;
  const { policy, policyNumber: number } = pins;
  const hash = sha256(utf8Bytes(policy));
  const entry = leafHash(encodeOperator({ kind: operatorKinds.policy, number, hash }));
  try {
    const there = policyEntry < head.size && (await hashesOf(files, head, signal)(0, policyEntry));
    if (!there || !equal(there, entry)) throw new Problem('log_unproved');
  } catch (error) {
    if (error instanceof Problem && error.code === 'log_unproved') await forgetPins(storage);
    throw error;
  }
  await replacePins(storage, kept);
}
