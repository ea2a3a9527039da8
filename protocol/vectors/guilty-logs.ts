/** Logs that did what evidence convicts of, each kind once. docs/protocol/transparency.md §9.1 */
import { createDevice, signDeviceCert } from '../crypto/device.ts';
import { nextDeviceList, signDeviceList } from '../crypto/device-list.ts';
import { ed25519 } from '../crypto/primitives.ts';
import { sign } from '../crypto/signature.ts';
import { commit } from '../transparency/commitment.ts';
import type { Evidence, EvidenceKind } from '../transparency/evidence.ts';
import { accountLabel, labelIndex, nameLabel } from '../transparency/label.ts';
import { mapValue } from '../transparency/map-proof.ts';
import { consistencyProof, rootAt } from '../transparency/tree-proofs.ts';
import { prove } from '../transparency/vrf.ts';
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { type AccountId, deviceId } from '../wire/ids.ts';
import { type DirectoryLog, directoryLog, label } from './directory-log.ts';
import { SampleAccount } from './sample-account.ts';
import { seededRandom } from './seeded.ts';

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

/** Two lists of an account, one after the other in a log, as evidence shows them. */
export async function listsOf(account: AccountId, lists: readonly Uint8Array[]): Promise<Evidence> {
  const log = began();
  const label = accountLabel(account);
  const place = labelIndex(prove(log.vrf, label).output);
  const states = lists.map((state, i) => ({
    label,
    opening: new Uint8Array(16).fill(i + 1),
    state,
  }));
  const at = states.map((shown, i) =>
    log.event(place, { commitment: commit({ ...shown, version: i + 1 }) }),
  );
  log.epoch();
  return { ...(await leavesOf(log, 'unauthorised', ...at)), states };
}

/** An account, and the list with one device more that another key has signed. */
export function forgedList(): { account: SampleAccount; forged: Uint8Array } {
  const account = new SampleAccount(seededRandom('evidence'), 'alice');
  const [random, first] = [seededRandom('forger'), account.list];
  const cert = signDeviceCert(
    createDevice({ account: account.account, device: deviceId(2), random }),
    first.aik,
    20_781,
  );
  const next = nextDeviceList(first, { devices: [...first.devices, cert] }, 20_781);
  const fields = signDeviceList(next, account.aik).slice(0, -64);
  const signature = sign('device-list', ed25519.fromSeed(random(32)), fields);
  return { account, forged: concat(fields, signature) };
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
  const { account, forged } = forgedList();
  const unauthorised = await listsOf(account.account, [account.list.bytes, forged]);
  return {
    ...{ fork, rewrite, rollback, entry, end, version, time, span, operator },
    ...{ hidden, unlogged, rebound, unauthorised },
  };
}
