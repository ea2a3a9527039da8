/**
 * An island was put back from an older copy: its log can't go on, because a witness has signed more of it. Its
 * operator begins another one; people who agree go on, and who does not keeps whom they know.
 * docs/protocol/transparency.md §6.7, §8.11
 */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@island/services/kit/testing/outcome.ts';
import t from 'tap';
import { bootIsland, runIsland, type TestIsland } from './island.ts';
import { people, runIslander } from './islander.ts';

t.setTimeout(240_000);

async function operated(island: TestIsland, ...args: string[]) {
  const ran = await island.run(...args, '--json');
  if (ran.code !== 0) throw new Error(ran.stderr);
  return JSON.parse(ran.stdout);
}

/** What an islander is told, where it has to work. */
async function done(home: string, args: string[], input = ''): Promise<string> {
  const ran = await runIslander(home, args, input);
  if (ran.code !== 0) throw new Error(`${args.join(' ')}: ${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

t.test(
  'K2: an island that was put back goes on with another log, and nobody takes it over unasked',
  async (t) => {
    await using island = await bootIsland(['--name', 'Here']);
    await using there = await bootIsland(['--name', 'There']);
    const folder = await mkdtemp(join(tmpdir(), 'succession-'));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const [ours, theirs] = [join(folder, 'here.json'), join(folder, 'there.json')];
    await operated(island, 'witness', 'card', '--out', ours);
    await operated(there, 'witness', 'card', '--out', theirs);
    await operated(there, 'witness', 'trust', ours);
    await operated(island, 'witness', 'add', theirs, '--name', 'there');

    await using who = await people(island, 'alice', 'bob', 'erin');
    const [alice, bob, erin] = ['alice', 'bob', 'erin'].map(who.homeOf) as [string, string, string];
    await eventually(async () => (await operated(island, 'status')).log.witnessed, 30_000);
    await done(alice, ['send', 'bob', 'before']);
    await done(erin, ['send', 'alice', 'before']);
    await done(bob, ['listen', '--count', '1']);
    await done(bob, ['send', 'alice', 'answer']);
    await done(alice, ['listen', '--count', '2']);

    const { address, caFingerprint } = island.welcome;
    const audited = async (...args: string[]) => {
      const trusting = ['--ca-fingerprint', caFingerprint, '--state', join(folder, 'auditor')];
      const ran = await runIsland(['audit', address, ...trusting, '--json', ...args]);
      if (ran.stdout === '') throw new Error(ran.stderr);
      return JSON.parse(ran.stdout);
    };
    await island.stop();
    const [services, saved] = [join(island.data, 'services'), join(folder, 'saved')];
    await cp(services, saved, { recursive: true });
    await island.start();
    await using more = await people(island, 'carol');
    await done(alice, ['send', 'carol', 'welcome']);
    await done(bob, ['send', 'carol', 'welcome']);
    t.match(await done(more.homeOf('carol'), ['listen', '--count', '2']), /welcome/);

    t.match(await audited(), { verdict: 'consistent' });

    await island.stop();
    await rm(services, { recursive: true });
    await cp(saved, services, { recursive: true });
    await island.start();
    await eventually(
      async () => (await operated(island, 'status')).log.problem === 'rolled_back',
      30_000,
    );
    t.match((await island.run('status')).stdout, /IT SIGNS NOTHING.*npx island log succeed/s);

    const unsure = await island.run('log', 'succeed', '--confirm', 'There');
    t.match(unsure, { code: 1, stderr: /not the name of the island/ });
    t.match(await island.run('log', 'succeed'), { code: 1, stderr: /can not be undone/ });
    const said = await operated(island, 'log', 'succeed', '--confirm', 'Here');
    t.match(said, { waiting: true });
    t.ok(said.seen > said.size);
    t.match(await operated(island, 'status'), { log: { problem: 'succeeding', waiting: 4 } });
    await operated(island, 'witness', 'card', '--out', ours);
    t.match(await operated(there, 'witness', 'trust', ours), { origin: said.vkey.split('+')[0] });
    await eventually(async () => {
      const { log } = await operated(island, 'status');
      return log.problem === undefined && log.size > 4;
    }, 60_000);
    t.match(await operated(island, 'status'), { log: { witnessed: true, quorum: 1 } });
    const lost = await audited();
    t.match(lost, { findings: [{ cause: 'unknown_origin' }] });
    t.match(lost.notices.join(), new RegExp(`goes on from entry ${said.size} of the copy`));
    const after = await audited('--vkey', said.vkey);
    t.match(after, { verdict: 'consistent', findings: [] });
    t.match(after.notices.join(), new RegExp(`${said.size} entries were left and ${said.seen}`));
    await t.rejects(audited(), /more than one log.*--vkey/);

    // Whom they know they go on talking to, and nobody new is met.
    t.match(await runIslander(alice, ['send', 'bob', 'all the same']), { code: 0 });
    await using later = await people(island, 'dave');
    const refused = await runIslander(alice, ['send', 'dave', 'hello']);
    t.match(refused, { code: 1, stderr: /begun its directory of keys anew/ });
    t.match(await runIslander(alice, ['send', 'dave', 'hello']), { code: 1 }, 'also later');

    t.match(await runIslander(alice, ['directory', 'go-on'], 'no\n'), { code: 1 });
    t.match(await runIslander(alice, ['send', 'dave', 'hello']), { code: 1 });
    for (const home of [alice, bob]) {
      const agreed = await done(home, ['directory', 'go-on'], 'yes\n');
      t.match(agreed, /It says +that it had \d+ entries left.*You go on with the new directory/s);
    }
    t.match(await done(bob, ['listen', '--count', '1']), /all the same/);
    await done(bob, ['send', 'alice', 'we go on']);
    t.match(await done(alice, ['listen', '--count', '1']), /we go on/);
    await done(alice, ['send', 'dave', 'hello']);
    t.match(await done(later.homeOf('dave'), ['listen', '--count', '1']), /hello/);
    t.match(await done(alice, ['directory']), new RegExp(said.vkey.split('+')[0]));

    t.match(await runIslander(erin, ['send', 'alice', 'who does not agree']), { code: 0 });
    t.match(await runIslander(erin, ['send', 'dave', 'a stranger']), { code: 1 });
    t.match(await done(alice, ['listen', '--count', '1']), /who does not agree/);

    const { codes, link } = await who.sheetOf('alice');
    const code = join(folder, 'code');
    await writeFile(code, `${codes[0]}\n`);
    const second = who.homeOf('alice, again');
    const files = ['--password-file', who.passwordFileOf('alice'), '--code-file', code];
    await done(second, ['recover', link, ...files]);
    await done(bob, ['send', 'alice', 'on both']);
    for (const home of [alice, second])
      t.match(await done(home, ['listen', '--count', '1']), /on both/);

    const stays = await runIslander(erin, ['send', 'alice', 'and now?']);
    t.match(stays, { code: 1, stderr: /directory of keys anew/ }, 'a new device is not taken over');
  },
);
