/** Evidence: each kind convicts who did it, and nobody who did not. docs/protocol/transparency.md §9.1 */
import { type Test, test } from 'tap';
import { listFlags } from '../crypto/account-state.ts';
import { sha256 } from '../crypto/primitives.ts';
import { label, testPolicy, testVkey } from '../vectors/directory-log.ts';
import { began, forgedList, guilty, leavesOf, listsOf } from '../vectors/guilty-logs.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { commit } from './commitment.ts';
import { verifyEvidence } from './conviction.ts';
import {
  type Evidence,
  type EvidenceKind,
  evidenceKinds,
  formatEvidence,
  parseEvidence,
} from './evidence.ts';
import { labelIndex, nameLabel } from './label.ts';
import { eventHash } from './leaves.ts';
import { TransparencyFault } from './transparency-fault.ts';
import { consistencyProof, rootAt } from './tree-proofs.ts';
import { prove } from './vrf.ts';

const trust = { vkey: testVkey, policy: testPolicy };
const alice = label('alice');
const bob = label('bob');

/** Codes with which evidence is refused. */
function refusal(t: Test, evidence: Evidence, why: string, with_ = trust): string {
  try {
    verifyEvidence(formatEvidence(evidence), with_);
  } catch (error) {
    if (error instanceof TransparencyFault || error instanceof Fault) return error.code;
    throw error;
  }
  t.fail(`convicts: ${why}`);
  return 'none';
}

test('K2: each kind of evidence convicts, with the vkey of the log alone, and says why', async (t) => {
  const all = await guilty();
  for (const kind of evidenceKinds) {
    const text = formatEvidence(all[kind]);
    t.strictSame(formatEvidence(parseEvidence(text)), text, `${kind} has one text`);
    const needs = kind === 'rollback' ? trust : { vkey: testVkey };
    const { convicts, who, statement } = verifyEvidence(text, needs);
    t.equal(convicts, kind === 'rollback' ? 'witness' : 'log', kind);
    t.equal(who, kind === 'rollback' ? 'w1' : 'pi-kt/test');
    t.match(statement, /^It.*\.$/);
  }
});

test('K2: evidence against another log, with a proof less, or called another kind, convicts nobody', async (t) => {
  const all = await guilty();
  const stranger = {
    ...trust,
    vkey: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
  };
  for (const kind of evidenceKinds) {
    const evidence = all[kind];
    t.equal(refusal(t, evidence, kind, stranger), 'unknown_origin');
    const forged = evidence.notes.map((note) => note.replace(/(test [A-Za-z0-9+/]{20})./, '$1A'));
    t.equal(refusal(t, { ...evidence, notes: forged }, `${kind}, forged`), 'signature_invalid');
    if (evidence.leaves.length > 0) {
      const leaves = evidence.leaves.map((leaf) => ({ ...leaf, proof: leaf.proof.slice(1) }));
      t.equal(refusal(t, { ...evidence, leaves }, `${kind}, cut`), 'inclusion_invalid');
    }
    for (const other of evidenceKinds) {
      if (other !== kind) refusal(t, { ...evidence, kind: other }, `${kind} as ${other}`);
    }
  }
});

test('pitfall: an honest log is convicted by nothing that it signed', async (t) => {
  const log = began();
  const before = await log.checkpoint({ seconds: 1000 });
  const size = log.size;
  log.event(alice);
  log.event(alice);
  log.event(bob, { flags: listFlags.update });
  log.epoch();
  log.operator({ number: 2 });
  log.epoch();
  const notes = [before, await log.checkpoint({ seconds: 2000 })];
  refusal(t, { kind: 'fork', notes, leaves: [] }, 'two sizes');
  refusal(t, { kind: 'fork', notes: [before, before], leaves: [] }, 'the same twice');
  refusal(t, { kind: 'rollback', notes: [...notes].reverse(), leaves: [] }, 'in order');
  const prefix = {
    root: await rootAt(size, log.read),
    proof: await consistencyProof(size, log.size, log.read),
  };
  refusal(t, { kind: 'rewrite', notes, leaves: [], prefix }, 'consistent');
  const kinds: EvidenceKind[] = ['version', 'time', 'span', 'operator'];
  for (let a = 0; a < log.size; a++) {
    for (const kind of ['entry', 'end'] as const)
      refusal(t, await leavesOf(log, kind, a), `${kind} ${a}`);
    for (let b = 0; b < log.size; b++) {
      for (const kind of kinds) refusal(t, await leavesOf(log, kind, a, b), `${kind} ${a} ${b}`);
    }
  }
  const last = log.size - 1;
  for (const index of [alice, bob]) {
    const proof = log.map.prove(index);
    const at = index === alice ? 7 : 8;
    const version = index === alice ? 3 : 2;
    const newest = {
      version,
      eventIndex: at,
      eventHash: eventHash(log.entries[at] ?? new Uint8Array()),
    };
    for (const entry of [3, 4, 6, 7, 8]) {
      const shown = await leavesOf(log, 'hidden', entry, last);
      refusal(t, { ...shown, map: { index, proof, newest } }, `hidden ${entry}`);
      refusal(t, { ...shown, map: { index, proof } }, `absent ${entry}`);
      refusal(
        t,
        { ...shown, kind: 'unlogged', map: { index, proof, newest } },
        `unlogged ${entry}`,
      );
    }
  }
});

test('pitfall: the first binding of a name, its erasure and an account that changes are no rebinding', async (t) => {
  const { rebound } = await guilty();
  const { opened } = rebound;
  if (opened === undefined) throw new Error('nothing opened');
  for (const said of [
    { version: 1, flags: 1 },
    { version: 2, flags: listFlags.erase },
  ]) {
    const log = began();
    const index = labelIndex(prove(log.vrf, opened.label).output);
    if (said.version === 2) log.event(index);
    const commitment = said.version === 1 ? { commitment: commit({ ...opened, version: 1 }) } : {};
    const at = log.event(index, { ...said, ...commitment });
    refusal(t, { ...(await leavesOf(log, 'rebound', 1, at)), opened }, JSON.stringify(said));
  }
  const other = { ...opened, vrfKey: sha256(opened.vrfKey) };
  t.equal(refusal(t, { ...rebound, opened: other }, 'another key'), 'evidence_invalid');
  const state = new Uint8Array(16).fill(9);
  t.equal(
    refusal(t, { ...rebound, opened: { ...opened, state } }, 'another state'),
    'commitment_invalid',
  );
});

test('K2: a device list that nobody of the account has signed convicts, one that follows does not', async (t) => {
  const { account, forged } = forgedList();
  const first = account.list;
  const evidence = await listsOf(account.account, [first.bytes, forged]);
  t.match(verifyEvidence(formatEvidence(evidence), { vkey: testVkey }), {
    kind: 'unauthorised',
    convicts: 'log',
    statement: /commits to a device list/,
  });
  const shown = (...lists: Uint8Array[]) => listsOf(account.account, lists);
  const joined = account.change({ devices: [...first.devices, account.cert(account.device(2))] });
  const rotated = account.change({ devices: joined.devices.slice(0, 1) }, 'rotate');
  const reset = account.change({}, 'reset', [account.device(3)]);
  for (const [one, next] of [
    [first, joined],
    [joined, rotated],
    [rotated, reset],
  ] as const)
    refusal(t, await shown(one.bytes, next.bytes), `${one.epoch} and ${next.epoch}`);
  for (const [why, one, next] of [
    ['one is left out', first, rotated],
    ['the same again', joined, joined],
    ['the one before', joined, first],
  ] as const)
    t.equal(
      verifyEvidence(formatEvidence(await shown(one.bytes, next.bytes)), trust).kind,
      'unauthorised',
      why,
    );
  t.equal(refusal(t, await shown(forged, joined.bytes), 'behind a forged one'), 'bad_signature');
  const later = Uint8Array.from(joined.bytes);
  later[0] = 9;
  refusal(t, await shown(first.bytes, later), 'a form of later');
  const [a, b] = evidence.states ?? [];
  if (!a || !b) throw new Error('nothing shown');
  for (const states of [
    [a],
    [b, a],
    [a, { ...b, state: joined.bytes }],
    [a, { ...b, opening: a.opening }],
    [a, { ...b, label: nameLabel('alice') }],
    [
      { ...a, label: nameLabel('alice') },
      { ...b, label: nameLabel('alice') },
    ],
  ])
    refusal(t, { ...evidence, states }, 'otherwise');
});

test('K2: whatever follows the erasure of a label convicts the log', async (t) => {
  for (const said of [{}, { flags: listFlags.erase }, { version: 9 }]) {
    const log = began();
    log.event(alice);
    const erased = log.event(alice, { flags: listFlags.erase });
    const evidence = await leavesOf(log, 'version', erased, log.event(alice, said));
    t.equal(verifyEvidence(formatEvidence(evidence), trust).kind, 'version');
  }
});

test('Evidence of every kind survives every alteration with a stated refusal', async (t) => {
  const all = await guilty();
  const text = (bytes: Uint8Array): string => {
    // A text has no such character; the fuzzer puts one behind it.
    if (bytes.at(-1) === 0) throw new Fault('trailing_bytes');
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new Fault('malformed');
    }
  };
  await fuzzDecoder(t, {
    decode(bytes) {
      const evidence = parseEvidence(text(bytes));
      verifyEvidence(formatEvidence(evidence), trust);
      return evidence;
    },
    encode: (evidence) => utf8Bytes(formatEvidence(evidence)),
    samples: Object.values(all).map((evidence) => utf8Bytes(formatEvidence(evidence))),
    otherFault: (error) => error instanceof TransparencyFault,
    headless: true,
  });
});
