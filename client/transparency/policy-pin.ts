/**
 * That the witness policy which a home began with is one that the log announced. An island that told one home a
 * policy of its own could show it checkpoints that nobody has witnessed. docs/protocol/transparency.md §8.2
 */
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import { encodeOperator, operatorKinds } from '@island/protocol/transparency/leaves.ts';
import { tileReader } from '@island/protocol/transparency/tiles.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Head } from './head.ts';
import type { LogFiles } from './log-files.ts';
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
  try {
    if (policyEntry >= head.size) throw new Fault('malformed');
    const hash = sha256(utf8Bytes(policy));
    const entry = encodeOperator({ kind: operatorKinds.policy, number, hash });
    const leaf = await tileReader(head, (path) => files.read(path, signal))(0, policyEntry);
    if (!equal(leaf, leafHash(entry))) throw new Fault('malformed');
  } catch (cause) {
    const unproved =
      cause instanceof TransparencyFault ||
      cause instanceof RangeError ||
      (cause instanceof Fault && cause.code === 'malformed');
    if (!unproved) throw cause;
    await forgetPins(storage);
    throw new Problem('log_unproved', {}, { cause });
  }
  await replacePins(storage, kept);
}
