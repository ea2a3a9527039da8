/** A server of three people, with the commands that they type: who comes, who may do what, who is sent away. */
import t from 'tap';
import { bootIsland } from './island.ts';
import { type Line, people, runIslander, talk, untilLine } from './islander.ts';

t.setTimeout(120_000);

t.test('M3: three people, a server, its channels and roles', async (t) => {
  await using island = await bootIsland();
  await using homes = await people(island, 'ann', 'bob', 'cleo');
  const run = (name: string, ...args: string[]) => runIslander(homes.homeOf(name), args);
  const objects = async (name: string, ...args: string[]): Promise<Record<string, unknown>[]> => {
    const { code, stdout, stderr } = await run(name, ...args, '--json');
    t.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line);
  };
  const refused = async (name: string, code: string, ...args: string[]): Promise<void> => {
    const ran = await run(name, ...args, '--json');
    t.match(ran, { code: 1 }, args.join(' '));
    t.match(JSON.parse(ran.stdout.trim().split('\n').at(-1) ?? ''), { type: 'error', code });
  };

  await t.test('it begins, and others come by a link', async (t) => {
    const [begun] = await objects('ann', 'server', 'create', 'Book', 'club');
    t.match(begun, { type: 'server', title: 'Book club', mine: true, members: 1, channels: 1 });
    const [link] = await objects('ann', 'server', 'invite', 'book', '--uses', '2');
    t.match(link, { type: 'server-link', link: /^island:/, uses: 2 });
    const join = (name: string) => run(name, 'server', 'join', String(link?.['link']));
    t.match(await Promise.all([join('bob'), join('cleo')]), [{ code: 0 }, { code: 0 }]);
    const [shown] = await objects('bob', 'server', 'show', 'Book club');
    t.match(shown, { members: 3, owner: 'ann', mine: false, list: [{ name: 'general' }] });
  });

  await t.test(
    'roles say who may do what, and a private channel is not there for others',
    async (t) => {
      await run('ann', 'server', 'role', 'add', 'book', 'keepers', '--allow', 'kick,ban,timeout');
      await run('ann', 'server', 'role', 'give', 'book', 'bob', 'keepers');
      await run('ann', 'channel', 'add', 'book', 'desk', '--private', '--role', 'keepers');
      const names = async (name: string) =>
        (await objects(name, 'channel', 'list', 'book')).map((each) => each['name']);
      const seen = await Promise.all([names('bob'), names('cleo')]);
      t.same(seen, [['general', 'desk'], ['general']]);
      await Promise.all([
        refused('cleo', 'channel_unknown', 'channel', 'set', '#desk', '--topic', 'x'),
        refused('bob', 'not_permitted', 'server', 'kick', 'book', 'ann'),
      ]);
      await refused('cleo', 'not_permitted', 'server', 'kick', 'book', 'bob');
    },
  );

  await t.test(
    'what is said is read by members, answered, changed, and reported to moderators',
    async (t) => {
      const bob = talk(homes.homeOf('bob'), 'listen');
      await untilLine(bob, ({ state }) => state === 'online');
      t.match(await run('ann', 'send', '#general', 'Hello', '@bob'), {
        code: 0,
        stdout: /✓ Posted in/,
      });
      const heard = await untilLine(bob, ({ text }) => text === 'Hello @bob');
      t.match(heard, { type: 'post', from: 'ann', name: 'general', seq: 1, calls: true });
      bob.kill('SIGTERM');
      await bob.ended;
      t.match(await run('cleo', 'send', '#general', '--reply', '1', 'And I?'), { code: 0 });
      t.match(await run('ann', 'edit', '#general', '1', 'Hello all'), { code: 0 });
      t.match(
        (await objects('cleo', 'history', '#general')).filter((each) => each['type'] === 'post'),
        [
          { seq: 1, from: 'ann', text: 'Hello all', edited: true },
          { seq: 2, from: 'cleo', text: 'And I?', reply: { to: 'ann' } },
        ],
      );
      t.match(await run('ann', 'report', '#general', '2', '--reason', 'spam'), { code: 0 });
      await refused('cleo', 'not_permitted', 'reports', 'book');
      const [report] = await objects('ann', 'reports', 'book');
      t.match(report, {
        by: 'ann',
        reason: 'spam',
        posts: [{ seq: 2, from: 'cleo', text: 'And I?', proved: true }],
      });
    },
  );

  await t.test('who is sent away is told so; the log says who did it', async (t) => {
    t.match(await run('bob', 'server', 'kick', 'book', 'cleo', '--reason', 'noise'), { code: 0 });
    t.match(await run('ann', 'send', '#general', 'Without cleo'), { code: 0 });
    await refused('cleo', 'channel_unknown', 'history', '#general');
    t.match((await objects('bob', 'history', '#general')).at(-1), { text: 'Without cleo' });
    t.same(await objects('cleo', 'server', 'list'), []);
    const acts = await objects('ann', 'server', 'audit', 'book');
    t.match(acts.at(-1), { type: 'act', by: 'bob', op: 'kick', text: 'kicked cleo (noise)' });
    t.match(await run('ann', 'server', 'delete', 'book', '--name', 'Book club'), { code: 0 });
    t.same(await objects('bob', 'server', 'list'), []);
  });
});
