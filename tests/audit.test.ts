/**
 * An outsider audits a real island over its edge: it is in order while it is, and the database that was put back is a
 * history that the log did not sign before. docs/protocol/transparency.md §9
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyEvidence } from '@island/protocol/transparency/conviction.ts';
import { eventually } from '@island/services/kit/testing/outcome.ts';
import t from 'tap';
import { bootIsland, type Ran, runIsland } from './island.ts';
import { members, rotateKeys } from './members.ts';

t.setTimeout(300_000);

const reported = ({ stdout, stderr }: Ran) => {
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
};

t.test(
  'K3: an outsider replays a real log, run after run, and catches the history that was put back',
  async (t) => {
    await using island = await bootIsland();
    const folder = await mkdtemp(join(tmpdir(), 'auditor-'));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const { address, caFingerprint } = island.welcome;
    const state = join(folder, 'state');
    const audit = (...args: string[]) =>
      runIsland(['audit', address, '--state', state, '--json', ...args]);

    const [alice] = await members(island, ['alice', 'bob']);
    if (alice === undefined) throw new TypeError('nobody');
    await using _ = alice;
    const trusting = await audit('--ca-fingerprint', caFingerprint);
    t.equal(trusting.code, 1, 'nobody witnesses it yet');
    t.match(trusting.stderr, /asks for no witness/);
    const first = reported(trusting);
    t.match(first, { verdict: 'unwitnessed', findings: [], witnessed: false });
    t.match(first.notices, [/on trust: the key of the log and the witness policy/]);

    const allowed = ['--allow-unwitnessed'];
    await eventually(async () => reported(await audit(...allowed)).labels === 4, 60_000);
    const saved = join(folder, 'saved');
    await island.stop();
    await cp(join(island.data, 'services'), saved, { recursive: true });
    await island.start();

    await rotateKeys(alice);
    await eventually(async () => {
      const { verdict, newEntries, labels } = reported(await audit(...allowed));
      t.equal(verdict, 'consistent');
      t.equal(labels, 4);
      return newEntries > 0;
    }, 60_000);

    await island.stop();
    await rm(join(island.data, 'services'), { recursive: true });
    await cp(saved, join(island.data, 'services'), { recursive: true });
    await island.start();
    const back = await audit(...allowed);
    t.equal(back.code, 3, back.stderr);
    const { findings, vkey } = reported(back);
    t.match(findings, [{ cause: /^(rolled_back|forked|rewritten)$/ }]);
    await members(island, ['carol', 'dave', 'erin']);
    let caught: { cause: string; evidence?: string }[] = findings;
    await eventually(async () => {
      caught = reported(await audit(...allowed)).findings;
      return caught[0]?.cause !== 'rolled_back';
    }, 60_000);
    t.match(caught[0]?.cause, /^(forked|rewritten)$/, 'it went on from there');
    const evidence = await readFile(caught[0]?.evidence ?? '', 'utf8');
    t.match(verifyEvidence(evidence, { vkey }), { convicts: 'log' });
  },
);
