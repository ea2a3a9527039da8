/** The commands as people and programs meet them: exit codes, words, and files for somebody else. docs/operations.md §13 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toTlogProof } from '@island/protocol/transparency/answer.ts';
import { commit } from '@island/protocol/transparency/commitment.ts';
import {
  accountLabel,
  labelIndex,
  labelKinds,
  nameLabel,
} from '@island/protocol/transparency/label.ts';
import { prove } from '@island/protocol/transparency/vrf.ts';
import {
  directoryLog,
  label,
  testPolicy,
  testVkey,
} from '@island/protocol/vectors/directory-log.ts';
import { accountId } from '@island/protocol/wire/ids.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { test } from 'tap';
import { runIsland } from '../../tests/island.ts';
import { serveLog } from './testing/served-log.ts';

test('K2: what an auditor finds, another process verifies from the key of the log alone', async (t) => {
  const log = directoryLog();
  log.event(label('alice'));
  log.epoch();
  await using served = await serveLog(log);
  const policy = join(served.state, 'policy');
  const ca = join(served.state, 'ca.pem');
  await writeFile(policy, testPolicy);
  await writeFile(ca, served.root);
  const state = join(served.state, 'audit');
  const pinned = ['--vkey', testVkey, '--policy', policy, '--ca', ca, '--state', state];
  const fine = await runIsland(['audit', served.address, ...pinned, '--cosign']);
  t.equal(fine.code, 0, fine.stderr);
  t.match(fine.stdout, /pi-kt\/test {2}5 entries {2}in order/);
  t.match(fine.stdout, /5 entries replayed, 5 of them new: 2 epochs, 1 label, 0 resets\./);
  t.match(fine.stdout, /checkpoint-5\.note/);
  const first = join(served.state, 'first.note');
  await writeFile(first, served.shown.checkpoint);

  const other = directoryLog();
  other.event(label('mallory'));
  other.epoch();
  await served.show(other);
  const caught = await runIsland(['audit', served.address, '--state', state, '--json']);
  t.equal(caught.code, 3, caught.stderr);
  t.match(caught.stderr, /misbehaves/);
  const { verdict, findings } = JSON.parse(caught.stdout);
  t.equal(verdict, 'misbehaving');
  t.match(findings, [{ cause: 'forked', evidence: /\.kt-evidence$/ }]);

  const shown = await runIsland(['evidence', 'verify', findings[0].evidence, '--vkey', testVkey]);
  t.equal(shown.code, 0, shown.stderr);
  t.match(
    shown.stdout,
    /This convicts the log pi-kt\/test\. It signed two different histories of 5/,
  );
  const stranger = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
  const innocent = await runIsland([
    'evidence',
    'verify',
    findings[0].evidence,
    '--vkey',
    stranger,
  ]);
  t.equal(innocent.code, 1);
  t.match(innocent.stderr, /convicts nobody: The checkpoint is of another log/);

  const second = join(served.state, 'second.note');
  await writeFile(second, served.shown.checkpoint);
  const out = join(served.state, 'fork.kt-evidence');
  const compare = ['proof', 'compare', first, second, '--vkey', testVkey, '--out', out];
  const forked = await runIsland(compare);
  t.equal(forked.code, 3, forked.stderr);
  t.equal((await runIsland(['evidence', 'verify', out, '--vkey', testVkey])).code, 0);
  const same = await runIsland(['proof', 'compare', first, first, '--vkey', testVkey]);
  t.match(same, { code: 0, stdout: /same history of 5 entries/ });
});

test('K1: a proof that somebody kept is verified without asking anybody', async (t) => {
  const log = directoryLog();
  const name = nameLabel('alice');
  const { proof: vrfProof, output } = prove(log.vrf, name);
  const opened = { opening: new Uint8Array(16).fill(1), state: new Uint8Array(16).fill(2) };
  const commitment = commit({ label: name, version: 1, ...opened });
  const event = log.event(labelIndex(output), { commitment });
  const account = accountLabel(accountId('02'.repeat(16)));
  const absent = prove(log.vrf, account);
  const epoch = log.epoch();
  const shown = await log.shown(event);
  const text = toTlogProof({
    note: await log.checkpoint(),
    epoch: log.entries[epoch] ?? new Uint8Array(0),
    epochProof: (await log.shown(epoch)).proof,
    labels: [
      {
        kind: labelKinds.name,
        vrfProof,
        mapProof: log.map.prove(labelIndex(output)),
        shown: { eventIndex: event, event: shown.leaf, proof: shown.proof, ...opened },
      },
      {
        kind: labelKinds.account,
        vrfProof: absent.proof,
        mapProof: log.map.prove(labelIndex(absent.output)),
      },
    ],
  });
  const folder = t.testdir({ proof: text, policy: testPolicy, none: 'quorum none\n' });
  const verify = ['proof', 'verify', join(folder, 'proof'), '--vkey', testVkey, '--policy'];
  const vrf = ['--vrf', base64url(log.vrf.public)];
  const whole = await runIsland([...verify, join(folder, 'policy'), ...vrf, '--name', 'alice']);
  t.equal(whole.code, 0, whole.stderr);
  t.match(whole.stdout, /a log of 5 entries, cosigned by w1, w2/);
  t.match(
    whole.stdout,
    /The name alice is at version 1, entry 3\.\nThe account is not in the directory/,
  );
  const other = await runIsland([...verify, join(folder, 'policy'), ...vrf, '--name', 'mallory']);
  t.match(other, { code: 1, stderr: /proves nothing: .*vrf_invalid/ });
  const witnessed = await runIsland([...verify, join(folder, 'policy'), '--json']);
  t.match(JSON.parse(witnessed.stdout), { size: 5, labels: [] });
  const nobody = await runIsland([...verify, join(folder, 'none')]);
  t.match(nobody, { code: 1, stderr: /asks for no witness: --allow-unwitnessed .*quorum_missing/ });
  for (const [more, words] of [
    [['--account', 'xyz'], /behind --name and --account: .*32 hexadecimal digits/],
    [['--account', '02'.repeat(16), '--vrf', '!'], /behind --vrf: a key in base64url/],
  ] as const) {
    const ran = await runIsland([...verify, join(folder, 'policy'), ...vrf, ...more]);
    t.match(ran, { code: 1, stderr: words });
    t.notMatch(ran.stderr, /Update the client/);
  }
  const kept = join(folder, 'proof');
  const note = join(folder, 'note');
  await writeFile(note, await log.checkpoint());
  const compare = (a: string, b: string) =>
    runIsland(['proof', 'compare', a, b, '--vkey', testVkey]);
  t.match(await compare(kept, note), { code: 0, stdout: /same history of 5 entries/ });
  t.match(await compare(kept, kept), { code: 0, stdout: /same history/ });
  await writeFile(note, text.slice(0, 40));
  t.match(await compare(kept, note), { code: 1, stderr: /note is no \.tlog-proof: it is damaged/ });
});

test('What is wrong with a command is said in a sentence', async (t) => {
  await using served = await serveLog(directoryLog());
  const state = ['--state', join(served.state, 'audit')];
  const wrong: [string[], number, RegExp][] = [
    [['audit'], 2, /missing required argument/],
    [['audit', 'http://localhost'], 2, /It is an address such as/],
    [['audit', 'island://localhost/leave'], 2, /names no island/],
    [['audit', 'package.json'], 2, /names no island/],
    [['audit', served.address, ...state], 1, /leads to no authority that is trusted/],
    [['audit', served.address, ...state, '--ca-fingerprint', 'x'], 1, /43 characters/],
    [['audit', served.address, ...state, '--ca', '/nowhere'], 1, /can't be read/],
    [['proof', 'verify', '/nowhere'], 1, /--vkey and --policy/],
    [['evidence', 'verify', '/nowhere', '--vkey', testVkey], 1, /can't be read/],
    [['evidence', 'verify', 'package.json', '--vkey', testVkey], 1, /The file is no \.kt-evidence/],
  ];
  for (const [args, code, words] of wrong) {
    const ran = await runIsland(args);
    t.equal(ran.code, code, args.join(' '));
    t.match(ran.stderr, words);
  }
});
