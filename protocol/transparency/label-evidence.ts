/** Evidence of what a log says of one label: in its map, and in what its entries commit to. docs/protocol/transparency.md §9.1 */
import { checkSuccessor, openDeviceList } from '../crypto/device-list.ts';
import { equal, sha256 } from '../crypto/primitives.ts';
import { Fault } from '../wire/fault.ts';
import { checkCommitment } from './commitment.ts';
import type { EvidenceKind, ShownEntry } from './evidence.ts';
import { must, pair, type Rule, two } from './evidence-leaves.ts';
import { labelIndex, labelKinds } from './label.ts';
import { eventHash, isErasure, leafTypes, operatorKinds } from './leaves.ts';
import { mapValue, verifyAbsence, verifyMembership } from './map-proof.ts';
import { verify as verifyVrf } from './vrf.ts';

/** What the map of `root` is shown to have. */
function shownEntry(root: Uint8Array, { index, proof, newest }: ShownEntry): ShownEntry['newest'] {
  if (newest === undefined) verifyAbsence({ root, index, proof });
  else {
    const { version, eventIndex, eventHash: hash } = newest;
    // Else `mapValue` would have no bytes for it.
    must(version > 0 && version <= 0xffffffff);
    verifyMembership({ root, index, value: mapValue(version, eventIndex, hash), proof });
  }
  return newest;
}

/**
 * Whether a directory may have taken `next` behind `known`: also what is in a form that is not known here. Throws
 * where the known one is no list by itself.
 */
export function mayFollow(known: Uint8Array, next: Uint8Array): boolean {
  const before = openDeviceList(known);
  try {
    checkSuccessor(before, openDeviceList(next));
    return true;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.code === 'unknown_version' || error.code === 'unknown_type';
  }
}

export const labelRules = {
  hidden(evidence, checkpoints) {
    const [event, epoch] = pair(evidence, checkpoints);
    const { map } = evidence;
    must(
      event.leaf?.type === leafTypes.event &&
        epoch.leaf?.type === leafTypes.epoch &&
        map !== undefined,
    );
    must(equal(event.leaf.index, map.index));
    const newest = shownEntry(epoch.leaf.mapRoot, map);
    const { version } = event.leaf;
    // A later version may stand there by right; an earlier one, none, or another event of this version may not.
    const same =
      newest?.eventIndex === event.index && equal(newest.eventHash, eventHash(event.bytes));
    must(newest === undefined || newest.version < version || (newest.version === version && !same));
    return `Its map at entry ${epoch.index} leaves out version ${version} of a label, which is entry ${event.index}.`;
  },

  unlogged(evidence, checkpoints) {
    const [entry, epoch] = pair(evidence, checkpoints);
    must(epoch.leaf?.type === leafTypes.epoch && evidence.map !== undefined);
    const { index, newest } = evidence.map;
    shownEntry(epoch.leaf.mapRoot, evidence.map);
    must(newest !== undefined && newest.eventIndex === entry.index);
    const { leaf } = entry;
    const fits =
      leaf?.type === leafTypes.event && leaf.version === newest.version && equal(leaf.index, index);
    must(!fits || !equal(newest.eventHash, eventHash(entry.bytes)));
    return `Its map at entry ${epoch.index} names entry ${entry.index} as version ${newest.version} of a label, which it is not.`;
  },

  // A name leads to one account until it is erased, and to nobody from then on.
  rebound(evidence, checkpoints) {
    const { opened } = evidence;
    const [key, event] = pair(evidence, checkpoints);
    must(
      key.leaf?.type === leafTypes.operator &&
        key.leaf.kind === operatorKinds.vrf &&
        event.leaf?.type === leafTypes.event,
    );
    must(opened !== undefined && equal(key.leaf.hash, sha256(opened.vrfKey)));
    const { label, vrfKey, vrfProof, opening, state } = opened;
    must(label[0] === labelKinds.name && event.leaf.version > 1 && !isErasure(event.leaf));
    must(equal(labelIndex(verifyVrf(vrfKey, label, vrfProof)), event.leaf.index));
    checkCommitment(event.leaf.commitment, { label, version: event.leaf.version, opening, state });
    return `Its entry ${event.index} changes what a name leads to, which nobody gave back.`;
  },

  // A directory takes no list that does not follow from the one before, or that its keys have not signed.
  unauthorised(evidence, checkpoints) {
    const [before, after] = pair(evidence, checkpoints);
    must(before.leaf?.type === leafTypes.event && after.leaf?.type === leafTypes.event);
    must(equal(before.leaf.index, after.leaf.index));
    must(after.leaf.version === before.leaf.version + 1);
    must(equal(after.leaf.prevEvent, eventHash(before.bytes)));
    const [known, next] = two(evidence.states ?? []);
    must(known.label[0] === labelKinds.account && equal(known.label, next.label));
    for (const [{ version, commitment }, shown] of [
      [before.leaf, known],
      [after.leaf, next],
    ] as const)
      checkCommitment(commitment, { ...shown, version });
    must(!mayFollow(known.state, next.state));
    return `Its entry ${after.index} commits to a device list that whoever has the account has not signed.`;
  },
} satisfies Partial<Record<EvidenceKind, Rule>>;
