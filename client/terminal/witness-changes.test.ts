/** Who watches the directory is told when it changes, by whatever command is next. docs/protocol/transparency.md §8.3 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { formatVkey } from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import { testPolicy } from '@island/protocol/vectors/directory-log.ts';
import t from 'tap';
import { fileStorage } from '../storage/file.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person, reopen } from '../testing/person.ts';
import { renewPolicy } from '../transparency/policy-change.ts';
import { islanderCommand } from './cli.ts';
import type { Streams } from './terminal.ts';

t.setTimeout(60_000);

async function islander(...args: string[]): Promise<{ out: string; err: string }> {
  const made = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  await islanderCommand(args, made as unknown as Streams);
  const read = (stream: PassThrough) => String(stream.read() ?? '');
  return { out: read(made.stdout), err: read(made.stderr) };
}

t.test('K1: a change of witnesses is said once, plainly, with who counts now', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'islander-witnesses-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const [home, other] = [join(folder, 'home'), join(folder, 'other')];
  const [w1] = parsePolicy(testPolicy).witnesses.map(({ vkey }) => formatVkey(vkey));
  await using island = await oddIsland();
  for (const [dir, name] of [
    [home, 'dave'],
    [other, 'erin'],
  ] as const) {
    await using storage = fileStorage(dir);
    await using made = await person(island, name, storage);
    await made.islander.people.find('dave').catch(() => undefined);
  }
  island.log.silent = true;
  await island.log.announce(`witness w1 ${w1}\nquorum w1\n`, ['w1']);
  for (const dir of [home, other]) {
    await using storage = fileStorage(dir);
    await using again = await reopen('dave', storage);
    await renewPolicy({ storage, transport: again.islander.transport });
  }
  const said = await islander('directory', '--home', home);
  const sentence =
    "The witnesses of this island's directory have changed (added: w1). From now on its newest state counts when these have signed: w1.";
  t.equal(said.err, `${sentence}\n`);
  t.match(said.out, 'Witnesses w1; the newest state counts when these have signed: w1');
  t.equal((await islander('directory', '--home', home)).err, '', 'once');
  const [first = ''] = (await islander('directory', '--home', other, '--json')).out.split('\n');
  t.match(JSON.parse(first), {
    type: 'witnesses',
    ...{ added: ['w1'], removed: [], witnesses: ['w1'], quorum: 'w1', text: sentence },
  });
});
