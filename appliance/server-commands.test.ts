/** `island servers` on the operators' socket, with spaces and accounts behind it. docs/operations.md §8 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { testDoor } from '@island/services/control/testing/door.ts';
import { faultCode } from '@island/services/kit/testing/outcome.ts';
import { spacesService } from '@island/services/spaces/service.ts';
import { openBoard, testDirectory } from '@island/services/spaces/testing/board.ts';
import t from 'tap';
import { islandCommand } from './island.ts';
import type { ServerRow } from './server-messages.ts';

// Short: paths of unix sockets are limited to 107 bytes.
const data = await mkdtemp(join(tmpdir(), 'pi-cli-'));
await mkdir(join(data, 'run'), { mode: 0o700 });
const running = await testDoor(() => join(data, 'run', 'control.sock'));
t.teardown(async () => {
  await running[Symbol.asyncDispose]();
  await rm(data, { recursive: true });
});
const { island, member } = running;
const { bus: lists } = await island.kit('directory');
testDirectory(lists);
await lists.settled();
await island.start(spacesService);
const { bus } = await island.kit('gateway');

async function typing(line: string | undefined, args: readonly string[]) {
  const written: Record<'stdout' | 'stderr', string[]> = { stdout: [], stderr: [] };
  const stream = (name: 'stdout' | 'stderr') =>
    ({ write: (text: string) => written[name].push(text) > 0 }) as NodeJS.WriteStream;
  const streams = { stdout: stream('stdout'), stderr: stream('stderr') };
  const stdin = line === undefined ? {} : { stdin: Readable.from([line]) };
  const code = await islandCommand([...args, '--data', data], { ...streams, ...stdin });
  return { code, stdout: written.stdout.join(''), stderr: written.stderr.join('') };
}
const run = (...args: string[]) => typing(undefined, args);
const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout);
const listed = async () => ((await json('servers')) as { servers: ServerRow[] }).servers;

t.test('servers are listed by what the island knows: owner, members, sizes', async (t) => {
  t.match(await run('servers'), { code: 0, stdout: /^Nobody has begun a server/ });
  const board = await openBoard(bus, 'listed');
  const { owner, state } = board.isle;
  const channel = await board.channel('lobby');
  await board.join('ann');
  const bytes = (await listed())[0]?.bytes ?? 0;
  const post = board.sealed(owner, channel, 'nobody else reads this');
  await board.send(owner, post);
  t.same(await listed(), [
    {
      ...{ id: state.space, title: 'Isle', owner: null, members: 2, channels: 1 },
      ...{ posts: 1, bytes: bytes + post.length, closed: false },
    },
  ]);
  t.match(await run('servers'), { stdout: 'Isle  of an account that has ended, 2 members' });
  await member('olga', owner.account);
  t.match(await run('servers'), {
    stdout: /^ {2}Isle {2}of olga, 2 members, 1 channel, 1 post, [\d.]+ kB\n$/,
  });
});

t.test('who may begin servers: everybody, a list of names, nobody', async (t) => {
  const policy = (...args: string[]) => run('servers', 'policy', ...args);
  t.same(await json('servers', 'policy'), { beginners: 'everybody', listed: [] });
  const isle = await openBoard(bus, 'policy');
  await member('ada', isle.isle.owner.account);
  const set = await policy('listed', '--allow', 'ada', 'olga');
  t.match(set, { code: 0, stdout: 'Servers: listed\nWho is on the list' });
  t.match(set.stdout, 'On the list: ada, olga');
  t.equal(await faultCode(openBoard(bus, 'stranger')), 'forbidden', 'who is not on it');
  const before = await json('servers', 'policy');
  const unknown = await policy('everybody', '--allow', 'nobody-here');
  t.match(unknown, { code: 1, stderr: /Nothing was changed/ });
  t.same(await json('servers', 'policy'), before);
  t.match((await policy('--remove', 'ada')).stdout, 'On the list: olga');
  t.match(await policy('everybody'), { stdout: /which does not count now: olga/ });
  t.match((await policy('listed', '--remove', 'olga')).stdout, 'Put somebody on it');
  t.match(await policy('nobody'), { stdout: /^Servers: nobody/ });
  t.equal(await faultCode(openBoard(bus, 'late')), 'forbidden');
  t.match(await policy('everybody'), { stdout: /^Servers: everybody/ });
  t.match(await policy('somebody'), { code: 2, stderr: /everybody, listed, nobody/ });
  t.match(await policy('--allow', 'Ada!'), { code: 1, stderr: /A name has 1 to 32/ });
});

t.test('a server is ended by its title, typed once more', async (t) => {
  const board = await openBoard(bus, 'ended');
  const { space } = board.isle.state;
  const close = (line: string | undefined, ...args: string[]) =>
    typing(line, ['servers', 'close', ...args]);
  const many = await close('Isle\n', 'Isle', '--yes');
  t.match(many, { code: 1, stderr: /servers are called Isle. Name it by its id/ });
  t.match(many.stderr, space);
  for (const line of ['isle\n', '', undefined])
    t.match(await close(line, space), { code: 1, stderr: /Nothing was changed/ });
  await board.channel('still there');
  const closed = await close('Isle\n', space);
  t.match(closed, { code: 0, stdout: 'Isle is ended.', stderr: /type its title: / });
  t.equal((await listed()).find(({ id }) => id === space)?.closed, true);
  t.equal(await faultCode(board.channel('too late')), 'space_closed');
  t.match(await close('Isle\n', space), { code: 1, stderr: /No server that is open/ });
  const other = await openBoard(bus, 'at once');
  t.match(await close(undefined, other.isle.state.space, '--yes'), { code: 0 });
  t.match(await close(undefined, 'Elsewhere', '--yes'), { code: 1, stderr: /called Elsewhere/ });
});

t.test('M5: a server whose log does not open at rest is shown, and can be ended', async (t) => {
  const board = await openBoard(bus, 'broken');
  const { space } = board.isle.state;
  const { data: folder } = await island.kit('spaces');
  const { DatabaseSync } = await import('node:sqlite');
  {
    using database = new DatabaseSync(join(folder, 'spaces.sqlite'));
    const found = Buffer.from(space, 'hex');
    const change = 'UPDATE entries SET entry = zeroblob(100) WHERE space = ?';
    t.equal(Number(database.prepare(change).run(found).changes), 1);
  }
  await island.restart(spacesService);
  const row = (await listed()).find(({ id }) => id === space);
  t.match(row, { title: '', members: 0, closed: false });
  t.match(await run('servers'), { stdout: new RegExp(`\\(does not open\\).*${space}`) });
  t.match(await typing(undefined, ['servers', 'close', space, '--yes']), { code: 0 });
});

t.end();
