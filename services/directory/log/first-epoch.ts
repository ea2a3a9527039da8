/**
 * The first epoch of a log that follows another one: the same bytes whenever it is made, so that a process which was
 * killed shows witnesses nothing else than the one before it. docs/protocol/transparency.md §6.7
 *
 *     OPERATOR policy 1 ‖ OPERATOR vrf 1 ‖ OPERATOR predecessor 1 ‖ EPOCH
 */
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { signCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import {
  encodeEpoch,
  encodeOperator,
  operatorKinds,
} from '@island/protocol/transparency/leaves.ts';
import { createMap } from '@island/protocol/transparency/map-tree.ts';
import { encodePredecessor, type Predecessor } from '@island/protocol/transparency/predecessor.ts';
import { inclusionProof, rootAt } from '@island/protocol/transparency/tree-proofs.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { EpochDraft } from './epoch-draft.ts';
import type { LogEntries } from './log-entries.ts';
import type { LogHashes } from './log-hashes.ts';
import type { LogKeys } from './log-keys.ts';

export async function firstEpoch(
  { keys, hashes, entries }: { keys: LogKeys; hashes: LogHashes; entries: LogEntries },
  begun: { policy: string; timestamp: number; follows: Predecessor },
): Promise<EpochDraft> {
  const { timestamp } = begun;
  const map = createMap();
  const made = { timestamp, mapRoot: map.root, mapCount: map.count };
  const leaf = encodeEpoch({ ...made, firstEvent: 0 });
  const leaves = [
    encodeOperator({
      ...{ kind: operatorKinds.policy, number: 1 },
      hash: sha256(utf8Bytes(begun.policy)),
    }),
    encodeOperator({ kind: operatorKinds.vrf, number: 1, hash: sha256(keys.vrf.public) }),
    encodePredecessor(begun.follows),
    leaf,
  ];
  const tree = await hashes.grow(0, leaves);
  const root = await rootAt(tree.size, tree.read);
  const note = signCheckpoint({ origin: keys.origin, size: tree.size, root }, keys.signer);
  return {
    epoch: { ...made, number: 1, size: tree.size, root, note, lastEvent: 0, policy: 1 },
    leaf,
    inclusion: await inclusionProof(tree.size - 1, tree.size, tree.read),
    labels: [],
    events: [],
    entries: await entries.grow(0, leaves),
    tree,
  };
}
