/** Logs that did what evidence convicts of, each kind once. docs/protocol/transparency.md §9.1 */
import { commit } from '../transparency/commitment.ts';
import type { Evidence, EvidenceKind } from '../transparency/evidence.ts';
import { labelIndex, nameLabel } from '../transparency/label.ts';
import { mapValue } from '../transparency/map-proof.ts';
import { consistencyProof, rootAt } from '../transparency/tree-proofs.ts';
import { prove } from '../transparency/vrf.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { type DirectoryLog, directoryLog, label } from './directory-log.ts';

const alice = label('alice');
const bob = label('bob');

/** A log in which two people registered, and one changed. */
export function began(): DirectoryLog {
  const log = directoryLog();
  log.event(alice);
  log.event(bob);
  log.epoch();
  return log;
}

export async function leavesOf(
  log: DirectoryLog,
  kind: EvidenceKind,
  ...at: number[]
): Promise<Evidence> {
  const leaves = await Promise.all(at.map((index) => log.shown(index)));
  return { kind, notes: [await log.checkpoint()], leaves };
}

/** Every kind once, as it convicts. */
export async function guilty(): Promise<Record<EvidenceKind, Evidence>> {
  const short = began();
  const other = directoryLog();
  other.event(alice);
  other.event(label('carol'));
  other.epoch();
  const fork: Evidence = {
    kind: 'fork',
    notes: [await short.checkpoint(), await other.checkpoint()],
    leaves: [],
  };
  other.event(bob);
  other.epoch();
  const rewrite: Evidence = {
    kind: 'rewrite',
    notes: [await short.checkpoint(), await other.checkpoint()],
    leaves: [],
    prefix: {
      root: await rootAt(short.size, other.read),
      proof: await consistencyProof(short.size, other.size, other.read),
    },
  };
  const grown = began();
  const rollback: Evidence = {
    kind: 'rollback',
    notes: [
      await grown.checkpoint({ seconds: 1000 }),
      await grown.checkpoint({ size: 3, seconds: 2000 }),
    ],
    leaves: [],
  };

  const odd = began();
  const what = odd.push(utf8Bytes('what is this'));
  odd.epoch();
  const entry = await leavesOf(odd, 'entry', what);
  const ending = began();
  const end = await leavesOf(ending, 'end', ending.event(alice));
  const twice = began();
  const first = twice.event(alice);
  const version = await leavesOf(
    twice,
    'version',
    first,
    twice.event(alice, { version: 2, prevEvent: label('x') }),
  );
  const early = began();
  const time = await leavesOf(early, 'time', 2, early.epoch({ timestamp: 1000 }));
  const spread = began();
  const span = await leavesOf(spread, 'span', 5, spread.epoch({ firstEvent: 4 }));
  const numbered = began();
  const operator = await leavesOf(numbered, 'operator', 0, numbered.operator({ number: 1 }));

  const hiding = began();
  const { root, count } = hiding.map;
  const proof = hiding.map.prove(label('carol'));
  const event = hiding.event(label('carol'));
  const epoch = hiding.epoch({ mapRoot: root, mapCount: count });
  const hidden = {
    ...(await leavesOf(hiding, 'hidden', event, epoch)),
    map: { index: label('carol'), proof },
  };

  const inventing = began();
  const newest = { version: 7, eventIndex: 3, eventHash: label('nothing') };
  inventing.map.set(bob, mapValue(newest.version, newest.eventIndex, newest.eventHash));
  const invented = inventing.epoch();
  const unlogged = {
    ...(await leavesOf(inventing, 'unlogged', 3, invented)),
    map: { index: bob, proof: inventing.map.prove(bob), newest },
  };

  const names = began();
  const name = nameLabel('alice');
  const vrf = prove(names.vrf, name);
  const index = labelIndex(vrf.output);
  const opened = {
    label: name,
    opening: new Uint8Array(16).fill(1),
    state: new Uint8Array(16).fill(2),
  };
  names.event(index);
  const taken = names.event(index, { commitment: commit({ ...opened, version: 2 }) });
  const rebound = {
    ...(await leavesOf(names, 'rebound', 1, taken)),
    opened: { ...opened, vrfKey: names.vrf.public, vrfProof: vrf.proof },
  };
  return {
    ...{ fork, rewrite, rollback, entry, end, version, time, span, operator },
    ...{ hidden, unlogged, rebound },
  };
}
