/** An auditor that stays: what it tells of those whom it watches, and what happens to it. docs/protocol/transparency.md §9.4 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listFlags } from '@island/protocol/crypto/account-state.ts';
import { toTlogProof } from '@island/protocol/transparency/answer.ts';
import { commit } from '@island/protocol/transparency/commitment.ts';
import { verifyEvidence } from '@island/protocol/transparency/conviction.ts';
import { labelIndex, labelKinds, nameLabel } from '@island/protocol/transparency/label.ts';
import { operatorKinds } from '@island/protocol/transparency/leaves.ts';
import { prove } from '@island/protocol/transparency/vrf.ts';
import {
  type DirectoryLog,
  directoryLog,
  label,
  testPolicy,
  testVkey,
} from '@island/protocol/vectors/directory-log.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { test } from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { runIsland, startCommand } from '../../tests/island.ts';
import { type MonitorOptions, monitor, type Telling } from './monitor.ts';
import { grown, type ServedLog, serveLog } from './testing/served-log.ts';
import { readWatched } from './watched.ts';

const alice = label('alice');
const named = prove(directoryLog().vrf, nameLabel('alice'));
const aliceName = labelIndex(named.output);
const { erase, reset, revoke, rotate, update } = listFlags;

/** The `.tlog-proof` of a name whose event is the newest of the log. */
async function proofOf(log: DirectoryLog): Promise<string> {
  const opened = { opening: new Uint8Array(16), state: new Uint8Array(16) };
  const commitment = commit({ label: nameLabel('alice'), version: 1, ...opened });
  const eventIndex = log.event(aliceName, { commitment });
  const epoch = log.epoch();
  const { leaf: event, proof } = await log.shown(eventIndex);
  return toTlogProof({
    note: await log.checkpoint(),
    epoch: log.entries[epoch] ?? new Uint8Array(0),
    epochProof: (await log.shown(epoch)).proof,
    labels: [
      {
        ...{ kind: labelKinds.name, vrfProof: named.proof, mapProof: log.map.prove(aliceName) },
        shown: { eventIndex, event, proof, ...opened },
      },
    ],
  });
}

const silent = { step() {}, detail() {}, done() {}, cut() {} };

interface Ended {
  told: Telling[];
  error: unknown;
}

/** Until it ends, or `tell` throws. */
async function watch(
  served: ServedLog,
  given: readonly string[],
  options: Partial<MonitorOptions> = {},
  seen: (telling: Telling) => void = () => undefined,
): Promise<Ended> {
  const told: Telling[] = [];
  const error = await monitor(
    {
      ...{ address: served.address, root: served.root, state: served.state, progress: silent },
      ...{ vkey: testVkey, policy: testPolicy, allowUnwitnessed: false },
      ...{ watched: await readWatched(given), every: 0.01, once: true },
      now: Date.UTC(2026, 0, 1, 0, 30),
      ...options,
    },
    (telling) => {
      told.push(telling);
      seen(telling);
    },
  ).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  return { told, error };
}

const ofType = <T extends Telling['type']>({ told }: Ended, type: T) =>
  told.filter((one): one is Extract<Telling, { type: T }> => one.type === type);

test('K3: each new event of who is watched is told, and nothing of others', async (t) => {
  const log = grown(3);
  log.event(alice);
  log.epoch();
  await using served = await serveLog(log);
  const places = [hex(alice), Buffer.from(label('nobody')).toString('base64url')];
  const first = await watch(served, places);
  t.equal(first.error, undefined);
  t.match(ofType(first, 'watching'), [
    { place: hex(alice), version: 1, entry: 11, at: '2026-01-01T00:03:00.000Z', kind: 'place' },
    { version: 0, entry: -1, at: null },
  ]);
  t.strictSame((await watch(served, places)).told.slice(1), [], 'nothing is new');

  log.event(alice, { flags: revoke | rotate });
  log.event(label('person 1'));
  log.epoch();
  log.event(alice, { flags: reset });
  log.event(alice, { flags: erase });
  log.epoch();
  await served.show(log);
  const next = await watch(served, places);
  t.match(next.error, { name: 'Noteworthy' });
  t.strictSame(
    ofType(next, 'event').map(({ version, what, at }) => [version, what, at]),
    [
      [2, ['rotate', 'revoke'], '2026-01-01T00:04:00.000Z'],
      [3, ['reset'], '2026-01-01T00:05:00.000Z'],
      [4, ['erase'], '2026-01-01T00:05:00.000Z'],
    ],
  );
  const later = await watch(served, [...places, hex(label('person 1'))]);
  t.equal(later.error, undefined, 'who is watched from now on has no past');
  t.match(ofType(later, 'watching'), [{ version: 3 }]);
});

test('K3: what the operator announces is told, from the beginning on', async (t) => {
  const log = directoryLog();
  log.operator({ kind: operatorKinds.audit, number: 1 });
  log.epoch();
  await using served = await serveLog(log);
  const first = await watch(served, []);
  t.match(ofType(first, 'operator'), [{ what: 'audit', number: 1, entry: 3 }]);
  log.operator({ kind: operatorKinds.successor, number: 1 });
  log.epoch();
  await served.show(log);
  const next = await watch(served, []);
  t.match(ofType(next, 'operator'), [{ what: 'successor', number: 1, entry: 5 }]);
  t.match(next.error, { name: 'Noteworthy' });
});

test('K2: a name that leads to somebody else without having been given back is told of', async (t) => {
  const log = directoryLog();
  await using served = await serveLog(log);
  const file = join(served.state, 'alice.tlog-proof');
  await writeFile(file, await proofOf(log));
  await served.show(log);
  const first = await watch(served, [file]);
  t.match(ofType(first, 'watching'), [
    { title: 'alice.tlog-proof, name', kind: 'name', rebound: false },
  ]);
  log.event(aliceName, { flags: erase });
  log.epoch();
  await served.show(log);
  t.match(ofType(await watch(served, [file]), 'event'), [{ what: ['erase'], rebound: false }]);
  log.event(aliceName, { flags: update });
  log.event(aliceName, { flags: update });
  log.epoch();
  await served.show(log);
  const taken = await watch(served, [file]);
  t.match(ofType(taken, 'event'), [{ rebound: false }, { rebound: true }]);
});

test('K2: a proof of another history convicts the log', async (t) => {
  for (const [events, kind, cause] of [
    [1, 'fork', 'forked'],
    [2, 'rewrite', 'rewritten'],
  ] as const) {
    const theirs = directoryLog();
    const proof = await proofOf(theirs);
    const ours = directoryLog();
    for (let i = 0; i < events; i++) ours.event(label(`person ${i}`));
    ours.epoch();
    await using served = await serveLog(ours);
    const file = join(served.state, 'alice.tlog-proof');
    await writeFile(file, proof);
    const caught = await watch(served, [file]);
    t.match(caught.error, { name: 'Misbehaviour' });
    const [found] = ofType(caught, 'finding');
    t.equal(found?.cause, cause);
    const evidence = await readFile(found?.evidence ?? '', 'utf8');
    t.equal(verifyEvidence(evidence, { vkey: testVkey }).kind, kind);
    const again = await served.audit();
    t.equal(again.report.verdict, 'misbehaving', 'for good');
  }
});

test('pitfall: crash: what was told and not yet kept as told is told again', async (t) => {
  const log = grown(2);
  log.event(alice);
  log.epoch();
  await using served = await serveLog(log);
  await watch(served, [hex(alice)]);
  log.event(alice, { flags: reset });
  log.epoch();
  await served.show(log);
  const cut = await watch(served, [hex(alice)], {}, ({ type }) => {
    if (type === 'event') throw new Error('the power failed');
  });
  t.match(cut.error, { message: 'the power failed' });
  t.match(ofType(await watch(served, [hex(alice)]), 'event'), [{ what: ['reset'] }]);
  t.strictSame(ofType(await watch(served, [hex(alice)]), 'event'), []);
});

test('pitfall: crash: what happens after a place was begun to be watched is news, whatever was cut off', async (t) => {
  const log = grown(2);
  log.event(alice);
  log.epoch();
  await using served = await serveLog(log);
  const cut = await watch(served, [hex(alice)], {}, ({ type }) => {
    if (type === 'watching') throw new Error('the power failed');
  });
  t.match(cut.error, { message: 'the power failed' });
  log.event(alice, { flags: reset });
  log.epoch();
  await served.show(log);
  t.match(ofType(await watch(served, [hex(alice)]), 'event'), [{ what: ['reset'] }]);
});

test('pitfall: network: an island that can not be asked is asked again', async (t) => {
  const log = grown(2);
  await using served = await serveLog(log);
  const { checkpoint } = served.shown;
  // What is not there is answered with 404.
  served.shown.checkpoint = undefined as unknown as string;
  const stop = new AbortController();
  const { told, error } = await watch(
    served,
    [],
    { once: false, signal: stop.signal },
    ({ type }) => {
      if (type === 'waiting') served.shown.checkpoint = checkpoint;
      if (type === 'audit') stop.abort();
    },
  );
  t.match(error, { name: 'AbortError' });
  t.match(told, [{ type: 'waiting', text: /serves no log/ }, { type: 'audit' }]);
  served.shown.checkpoint = undefined as unknown as string;
  t.match((await watch(served, [])).error, { message: /serves no log/ }, 'once is once');
});

test('K1: a log that stands still is told of, and what passes is told to have passed', async (t) => {
  const log = grown(2);
  await using served = await serveLog(log);
  await served.show(log, { by: ['w1'] });
  const stop = new AbortController();
  let rounds = 0;
  const resident = await watch(
    served,
    [],
    { once: false, signal: stop.signal, now: Date.UTC(2026, 0, 2) },
    ({ type }) => {
      if (type === 'audit' && ++rounds === 2) void served.show(log);
      if (type === 'recovered') stop.abort();
    },
  );
  t.equal(ofType(resident, 'still').length, 1, 'once');
  t.match(ofType(resident, 'finding'), [{ cause: 'quorum_missing' }]);
  t.ok(rounds > 2);
  const once = await watch(served, [], { now: Date.UTC(2026, 0, 2) });
  t.match(once.error, { name: 'Noteworthy' });
});

test('pitfall: SIGKILL: a monitor that was killed tells in its next run what it missed', async (t) => {
  const log = directoryLog();
  log.event(alice);
  log.epoch({ timestamp: Date.now() });
  await using served = await serveLog(log);
  const [policy, ca] = [join(served.state, 'policy'), join(served.state, 'ca.pem')];
  await writeFile(policy, testPolicy);
  await writeFile(ca, served.root);
  const pins = ['--vkey', testVkey, '--policy', policy, '--ca', ca];
  const args = ['--state', join(served.state, 'kept'), '--watch', hex(alice)];
  const { child, output, ended } = startCommand(['monitor', served.address, ...pins, ...args]);
  await eventually(() => /Watching .*: version 1, entry 3/.test(output.stdout), 20_000);
  child.kill('SIGKILL');
  await ended;
  log.event(alice, { flags: reset });
  log.epoch({ timestamp: Date.now() });
  await served.show(log);
  const next = await runIsland(['monitor', served.address, ...args, '--once']);
  t.equal(next.code, 4, next.stderr);
  t.match(next.stdout, /identity key was replaced WITHOUT the consent/);
  t.match(next.stdout, /If the person did not do this/);
  const quiet = await runIsland(['monitor', served.address, ...args, '--once', '--json']);
  t.equal(quiet.code, 0, quiet.stderr);
  t.match(
    quiet.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [{ type: 'audit', verdict: 'consistent', newEntries: 0 }],
  );
  const term = startCommand(['monitor', served.address, ...args, '--json']);
  await eventually(() => /"type":"audit"/.test(term.output.stdout), 20_000);
  term.child.kill('SIGTERM');
  t.equal((await term.ended).code, 0, 'ended is not failed');
});

test('What is no proof and no place is said in a sentence', async (t) => {
  const folder = t.testdir({ text: 'nothing' });
  await t.rejects(readWatched([join(folder, 'text')]), {
    name: 'Stated',
    message: /says no place/,
  });
  await t.rejects(readWatched(['/nowhere']), { name: 'Stated', message: /can't be read/ });
  const log = directoryLog();
  const proof = await proofOf(log);
  const other = proof.replace(/(test [A-Za-z0-9+/]{20})./, '$1A');
  const file = join(t.testdir({ proof: other }), 'proof');
  await using served = await serveLog(log);
  await served.show(log);
  const { error } = await watch(served, [file]);
  t.match(error, { name: 'Stated', message: /not of this log/ });
});
