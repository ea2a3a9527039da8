/** The auditor against each lie that a log can tell. docs/protocol/transparency.md §9.2 */
import { readFile } from 'node:fs/promises';
import { verifyEvidence } from '@island/protocol/transparency/conviction.ts';
import {
  type DirectoryLog,
  directoryLog,
  label,
  testPolicy,
  testVkey,
} from '@island/protocol/vectors/directory-log.ts';
import { type Test, test } from 'tap';
import { causesOf, grown, serveLog } from './testing/served-log.ts';

const alice = label('alice');
const bob = label('bob');

/** A log that tells one lie in an epoch of its own, 300 people large. */
interface Lie {
  name: string;
  tell(log: DirectoryLog): void;
  cause: string;
  /** The evidence that it leaves; without one it takes a replay. */
  evidence?: string;
  entry?: number;
}

const lies: Lie[] = [
  {
    name: 'a version is skipped, and one that nobody sees stands between',
    tell(log) {
      log.event(alice, { version: 3, prevEvent: label('hidden') });
      log.epoch();
    },
    cause: 'version_skipped',
  },
  {
    name: 'a version is skipped',
    tell(log) {
      log.event(bob);
      log.event(alice, { version: 3 });
      log.epoch();
    },
    cause: 'version_skipped',
    evidence: 'version',
  },
  {
    name: 'a label that was erased gets another version',
    tell(log) {
      log.event(alice, { flags: 0x20 });
      log.event(alice);
      log.epoch();
    },
    cause: 'erased_goes_on',
    evidence: 'version',
  },
  {
    name: 'a label is erased twice',
    tell(log) {
      log.event(alice, { flags: 0x20 });
      log.event(alice, { flags: 0x20 });
      log.epoch();
    },
    cause: 'erased_goes_on',
    evidence: 'version',
  },
  {
    name: 'an erasure commits to something',
    tell(log) {
      const event = Uint8Array.from(log.entries[log.event(bob)] ?? []);
      event[1] = 0x20;
      log.push(event);
      log.epoch();
    },
    cause: 'entry_malformed',
    evidence: 'entry',
  },
  {
    name: 'a version is repeated',
    tell(log) {
      log.event(alice, { version: 1, prevEvent: new Uint8Array(32) });
      log.epoch();
    },
    cause: 'version_repeated',
    evidence: 'version',
  },
  {
    name: 'a label goes back',
    tell(log) {
      log.event(alice);
      log.event(alice);
      log.event(alice, { version: 2 });
      log.epoch();
    },
    cause: 'version_backwards',
    evidence: 'version',
  },
  {
    name: 'a chain is broken',
    tell(log) {
      log.event(alice, { prevEvent: label('another event') });
      log.epoch();
    },
    cause: 'chain_broken',
    evidence: 'version',
  },
  {
    name: 'a map root is wrong',
    tell(log) {
      log.event(alice);
      log.epoch({ mapRoot: label('another root') });
    },
    cause: 'map_root_wrong',
  },
  {
    name: 'an event is in the log and not in the map',
    tell(log) {
      const { root } = log.map;
      log.event(alice);
      log.epoch({ mapRoot: Uint8Array.from(root) });
    },
    cause: 'map_root_wrong',
  },
  {
    name: 'a label is in the map and not in the log',
    tell(log) {
      log.map.set(label('ghost'), label('value'));
      log.epoch({ mapCount: log.map.count - 1 });
    },
    cause: 'map_root_wrong',
  },
  {
    name: 'the map has another count',
    tell(log) {
      log.event(label('carol'));
      log.epoch({ mapCount: 2 });
    },
    cause: 'map_count_wrong',
  },
  {
    name: 'time goes backwards',
    tell(log) {
      log.epoch();
      log.epoch({ timestamp: 1 });
    },
    cause: 'time_backwards',
    evidence: 'time',
  },
  {
    name: 'an epoch is of tomorrow',
    tell: (log) => void log.epoch({ timestamp: Date.now() + 86_400_000 }),
    cause: 'time_ahead',
  },
  {
    name: 'the checkpoint ends without an epoch',
    tell: (log) => void log.event(alice),
    cause: 'end_without_epoch',
    evidence: 'end',
  },
  {
    name: 'an epoch begins too early',
    tell(log) {
      log.epoch({ firstEvent: 2 });
      log.epoch();
    },
    cause: 'span_wrong',
    evidence: 'span',
  },
  {
    name: 'an epoch begins too late',
    tell(log) {
      log.event(alice);
      log.epoch({ firstEvent: log.size });
    },
    cause: 'span_wrong',
    evidence: 'span',
  },
  {
    name: 'an announcement has a number that was there',
    tell(log) {
      log.operator({ kind: 4, number: 1 });
      log.operator({ kind: 4, number: 1 });
      log.epoch();
    },
    cause: 'operator_number_wrong',
    evidence: 'operator',
  },
  {
    name: 'an announcement is left out',
    tell(log) {
      log.operator({ kind: 4, number: 2 });
      log.epoch();
    },
    cause: 'operator_number_wrong',
  },
  {
    name: 'there is a second key of the VRF',
    tell(log) {
      log.push(Uint8Array.of(3, 2, 0, 0, 0, 2, ...alice));
      log.epoch();
    },
    cause: 'vrf_changed',
    evidence: 'entry',
  },
  {
    name: 'the first key of the VRF is announced again, as another',
    tell(log) {
      log.operator({ kind: 2, number: 1, hash: alice });
      log.epoch();
    },
    cause: 'operator_number_wrong',
    evidence: 'operator',
  },
  {
    name: 'an entry is in no form',
    tell(log) {
      log.push(Buffer.from('free text'));
      log.epoch();
    },
    cause: 'entry_malformed',
    evidence: 'entry',
  },
];

async function convicts(
  t: Test,
  path: string | undefined,
  kind: string | undefined,
): Promise<void> {
  t.equal(path !== undefined, kind !== undefined, 'evidence, where it convicts by itself');
  if (path === undefined) return;
  const text = await readFile(path, 'utf8');
  t.match(verifyEvidence(text, { vkey: testVkey, policy: testPolicy }), { kind });
}

for (const { name, tell, cause, evidence } of lies) {
  test(`K2, K3: ${name}: the auditor says so, for good`, async (t) => {
    const log = directoryLog();
    log.event(alice);
    log.event(bob);
    for (let i = 0; i < 300; i++) log.event(label(`person ${i}`));
    log.epoch();
    await using served = await serveLog(log);
    t.equal((await served.audit()).report.verdict, 'consistent');
    tell(log);
    await served.show(log);
    const { report } = await served.audit();
    t.equal(report.verdict, 'misbehaving');
    t.strictSame(
      report.findings.map((finding) => finding.cause),
      [cause],
      'one lie, one finding',
    );
    await convicts(t, report.findings[0]?.evidence, evidence);
    const again = await served.audit();
    t.strictSame(causesOf(again), cause === 'time_ahead' ? [] : [cause], 'it stays found');
  });
}

test('K2: a fork of one size is caught, and leaves evidence that convicts the log', async (t) => {
  await using served = await serveLog(grown(3));
  await served.audit();
  const other = directoryLog();
  for (let i = 3; i < 6; i++) other.event(label(`person ${i}`));
  other.epoch();
  for (let i = 3; i < 6; i++) other.event(label(`person ${i}`));
  other.epoch();
  await served.show(other);
  const forked = await served.audit();
  t.strictSame(causesOf(forked), ['forked']);
  await convicts(t, forked.report.findings[0]?.evidence, 'fork');
  await served.show(grown(3));
  t.strictSame(causesOf(await served.audit()), ['forked'], 'it can not be made good');
});

test('K2: a history that was rewritten and grew is caught, and leaves evidence that convicts the log', async (t) => {
  for (const people of [3, 300]) {
    await using served = await serveLog(grown(people));
    await served.audit();
    await served.show(grown(people + 1));
    const { report } = await served.audit();
    t.strictSame(
      report.findings.map(({ cause }) => cause),
      ['rewritten'],
    );
    await convicts(t, report.findings[0]?.evidence, 'rewrite');
  }
});

test('K2: a log that is shorter than before is refused, and nothing of it is taken over', async (t) => {
  const log = grown(3);
  await using served = await serveLog(log);
  await served.audit();
  const whole = served.shown.checkpoint;
  served.shown.checkpoint = await log.checkpoint({ size: 7 });
  const { report } = await served.audit();
  t.strictSame(
    report.findings.map(({ cause }) => cause),
    ['rolled_back'],
  );
  await convicts(t, report.findings[0]?.evidence, undefined);
  served.shown.checkpoint = whole;
  t.equal((await served.audit()).report.verdict, 'consistent', 'the log that we have goes on');
  served.shown.checkpoint = await log.checkpoint({ size: 7, seconds: (Date.now() / 1000) | 0 });
  const later = await served.audit();
  t.strictSame(causesOf(later), ['rolled_back']);
  await convicts(t, later.report.findings[0]?.evidence, 'rollback');
});

test('K3: entries that are not those of the checkpoint are refused, and withheld ones are missed', async (t) => {
  const log = grown(300);
  await using served = await serveLog(log);
  const other = grown(300, directoryLog({ bare: true }));
  served.shown.tile = (tile) =>
    tile.level === 'entries' && tile.index === 1 ? other.tile(tile) : undefined;
  t.strictSame(causesOf(await served.audit()), ['root_mismatch']);
  served.shown.tile = ({ level, index }) => (level === 'entries' && index === 1 ? null : undefined);
  t.strictSame(causesOf(await served.audit()), ['withheld']);
  served.shown.tile = ({ level }) => (level === 'entries' ? Buffer.from('no bundle') : undefined);
  t.strictSame(causesOf(await served.audit()), ['root_mismatch']);
  delete served.shown.tile;
  t.equal((await served.audit()).report.verdict, 'consistent', 'it was the doing of the server');
  await served.show(grown(3, log));
  served.shown.tile = (tile) => (tile.level === 'entries' ? (other.tile(tile) ?? null) : undefined);
  t.match(causesOf(await served.audit())[0], /root_mismatch|withheld/, 'also behind what we have');
});

test('K3: a log that begins otherwise, and one that is another, are refused', async (t) => {
  const bare = directoryLog({ bare: true });
  bare.event(alice);
  bare.event(bob);
  bare.epoch();
  await using served = await serveLog(bare);
  t.strictSame(causesOf(await served.audit()), ['beginning_invalid', 'beginning_invalid']);
  const other = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
  const state = `${served.state}/other`;
  t.strictSame(causesOf(await served.audit({ vkey: other, state })), ['unknown_origin']);
});

test('K1: a checkpoint below quorum, of nobody, or of another log is refused', async (t) => {
  const log = grown(3);
  await using served = await serveLog(log);
  await served.show(log, { by: ['w1'] });
  const { report } = await served.audit();
  t.strictSame(
    report.findings.map(({ cause }) => cause),
    ['quorum_missing'],
  );
  t.match(report.findings[0]?.text, /It has w1\./);
  const signed = await log.checkpoint();
  served.shown.checkpoint = signed.replace(/(test [A-Za-z0-9+/]{20})./, '$1A');
  t.strictSame(causesOf(await served.audit()), ['signature_invalid']);
  served.shown.checkpoint = 'nothing';
  t.strictSame(causesOf(await served.audit()), ['note_malformed']);
  served.shown.checkpoint = signed;
  t.equal((await served.audit()).report.verdict, 'consistent', 'with a quorum it is in order');
});
