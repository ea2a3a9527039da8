/** What an auditor believes of a log's policy and keys. docs/protocol/transparency.md §9.2 */
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { addSignatures, formatVkey, parseNote } from '@island/protocol/transparency/note.ts';
import {
  type DirectoryLog,
  directoryLog,
  label,
  ownCosigner,
  testPolicy,
  testVkey,
} from '@island/protocol/vectors/directory-log.ts';
import { leastKdf, limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { test } from 'tap';
import { audit } from './audit.ts';
import { causesOf, serveLog } from './testing/served-log.ts';

const none = 'quorum none\n';
const stricter = testPolicy.replace('all-of-them 2', 'all-of-them 3');

function discovery(log: DirectoryLog, said: object = {}): object {
  const policy = testPolicy;
  const shown = {
    vkey: testVkey,
    vrf: base64url(log.vrf.public),
    policy,
    policyNumber: 1,
    policyEntry: 0,
    witnessed: true,
  };
  return {
    ...{ name: 'x', versions: [1], registration: 'open', limits, kdf: leastKdf, retention: {} },
    caFingerprint: base64url(new Uint8Array(32)),
    senderRoot: base64url(new Uint8Array(32)),
    log: { ...shown, ...said },
  };
}

test('What is taken from the island itself is said to be; what was pinned stays', async (t) => {
  const log = directoryLog();
  await using served = await serveLog(log);
  served.shown.discovery = discovery(log);
  const silent = { step() {}, detail() {}, done() {}, cut() {} };
  const options = {
    ...{ address: served.address, root: served.root, state: `${served.state}/bare` },
    ...{ allowUnwitnessed: false, cosign: false, progress: silent },
  };
  const first = await audit(options);
  t.strictSame(causesOf(first), []);
  t.match(first.report.notices[0], /on trust: the key of the log and the witness policy/);
  t.match(first.report.notices[0], testVkey);
  t.strictSame((await audit(options)).report.notices, [], 'said once');
  served.shown.discovery = discovery(log, { vkey: formatVkey(ownCosigner.vkey) });
  t.strictSame(
    causesOf(await audit(options)),
    [],
    'another key that it tells later is of no weight',
  );
  await t.rejects(audit({ ...options, vrf: base64url(new Uint8Array(32)) }), { name: 'Stated' });
  delete served.shown.discovery;
  await t.rejects(audit({ ...options, state: `${served.state}/other` }), /says nothing of a log/);
});

test('K1: a log of no witness is no log with witnesses, whatever it calls itself', async (t) => {
  const log = directoryLog({ policy: none });
  await using served = await serveLog(log);
  t.equal((await served.audit({ policy: none })).report.verdict, 'unwitnessed');
  t.equal(
    (await served.audit({ policy: none, allowUnwitnessed: true })).report.verdict,
    'consistent',
  );
  served.shown.discovery = discovery(log, { policy: none, witnessed: true });
  t.strictSame(causesOf(await served.audit({ allowUnwitnessed: true })), ['posing_as_witnessed']);
});

test("K1: the log's own key is no witness of the log", async (t) => {
  const own = formatVkey(ownCosigner.vkey);
  const policy = `witness somebody ${own}\nquorum somebody\n`;
  const log = directoryLog({ policy });
  await using served = await serveLog(log);
  const note = await log.checkpoint({ by: [] });
  const line = ownCosigner.cosign(parseNote(note).text, 1_700_000_000);
  served.shown.checkpoint = addSignatures(note, [line]);
  const audited = await served.audit({ policy });
  t.strictSame(causesOf(audited), ['posing_as_witnessed']);
  t.strictSame(audited.report.cosigners, []);
});

test('K1: the witness that the island runs itself is nobody, however it is called', async (t) => {
  const log = directoryLog();
  await using served = await serveLog(log);
  const vkeys = testPolicy
    .split('\n')
    .flatMap((line) => line.match(/^witness w[12] (.*)$/)?.[1] ?? []);
  const audited = await served.audit({ ownWitness: vkeys.slice(0, 1) });
  t.strictSame(causesOf(audited), ['posing_as_witnessed'], 'one of two is left');
  await served.show(log, { by: ['w1', 'w2', 'w3'] });
  t.strictSame(causesOf(await served.audit()), [], 'two others are enough');
});

test('K1: the witness at the address of the island is nobody, also to who knows the log by its key alone', async (t) => {
  const log = directoryLog();
  await using served = await serveLog(log);
  t.strictSame(causesOf(await served.audit()), [], 'nothing is known of it');
  served.shown.ownWitness = await log.checkpoint({ by: ['w1'] });
  const audited = await served.audit();
  t.strictSame(causesOf(audited), ['posing_as_witnessed']);
  t.match(audited.report.findings[0]?.text, /cosigned by the island itself/);
  t.strictSame(
    audited.report.cosigners.map(({ name }) => name),
    ['w2'],
  );
  for (const other of [await log.checkpoint({ by: [] }), 'x', undefined]) {
    Object.assign(served.shown, { ownWitness: other });
    const state = `${served.state}/again`;
    t.strictSame(
      causesOf(await served.audit({ state })),
      [],
      'whose signature is not there is another',
    );
  }
  const here = testPolicy.replace(/^(witness w1 \S+).*$/m, `$1 ${served.address}/witness`);
  const told = directoryLog({ policy: here });
  await served.show(told);
  const state = `${served.state}/here`;
  t.strictSame(causesOf(await served.audit({ policy: here, state })), ['posing_as_witnessed']);
});

test('K1: a policy that the log does not announce is not its policy; a VRF key neither', async (t) => {
  const log = directoryLog();
  await using served = await serveLog(log);
  t.strictSame(causesOf(await served.audit({ policy: stricter })), [
    'policy_not_logged',
    'quorum_missing',
  ]);
  served.shown.discovery = discovery(log);
  t.match(causesOf(await served.audit()), ['policy_not_logged'], 'whatever the island says of it');
  const state = `${served.state}/other`;
  const vrf = base64url(new Uint8Array(32).fill(1));
  t.strictSame(causesOf(await served.audit({ state, vrf })), ['vrf_not_logged']);
});

test('A policy that the log announces is followed; never to one without witnesses', async (t) => {
  const log = directoryLog();
  await using served = await serveLog(log);
  await served.audit();
  log.operator({ kind: 1, number: 2, hash: sha256(Buffer.from(stricter)) });
  log.epoch();
  await served.show(log);
  t.strictSame(causesOf(await served.audit()), ['policy_not_logged'], 'whose text nobody shows');
  served.shown.discovery = discovery(log, { policy: stricter, policyNumber: 2 });
  t.strictSame(
    causesOf(await served.audit()),
    ['quorum_missing'],
    'two of three are no longer enough',
  );
  await served.show(log, { by: ['w1', 'w2', 'w3'] });
  t.strictSame(causesOf(await served.audit()), []);

  log.event(label('somebody'));
  log.operator({ kind: 1, number: 3, hash: sha256(Buffer.from(none)) });
  log.epoch();
  await served.show(log, { by: [] });
  served.shown.discovery = discovery(log, { policy: none, policyNumber: 3, witnessed: false });
  const weaker = await served.audit({ allowUnwitnessed: true });
  t.match(causesOf(weaker), ['policy_weakened']);
  t.match(causesOf(await served.audit()), ['policy_weakened'], 'for good');
});
