/** A conversation of two people by the commands: files, answers, edits, reactions, taking back, and who may write. */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { bootIsland } from './island.ts';
import { people, runIslander, talk, untilLine } from './islander.ts';

t.setTimeout(600_000);

t.test('two people talk: each sees what the other does', async (t) => {
  await using island = await bootIsland();
  await using who = await people(island, 'alice', 'bob');
  const [alice, bob] = [who.homeOf('alice'), who.homeOf('bob')];
  const folder = t.testdir();
  const plan = randomBytes(1_500_000);
  const file = join(folder, 'the plan.pdf');
  await writeFile(file, plan);
  const run = async (home: string, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runIslander(home, args);
    t.equal(code, 0, `${args.join(' ')} ${stderr}`);
    return stdout;
  };

  const ours = talk(alice, 'chat', 'bob', '--commands');
  ours.write('Hello Bob\n');
  const theirs = talk(bob, 'chat', 'alice', '--commands');
  const hello = await untilLine(theirs, ({ text }) => text === 'Hello Bob');

  await t.test('what is in the home is said before what the island has', async (t) => {
    await untilLine(ours, ({ type }) => type === 'sent');
    const fate = ours.lines.filter(({ type }) => type === 'queued' || type === 'sent');
    t.same(fate, [
      { type: 'queued', to: 'bob', id: hello.id },
      { type: 'sent', to: 'bob', id: hello.id },
    ]);
    t.match(hello, { request: true });
  });

  await t.test('a first message is a request until it is answered or let in', async (t) => {
    t.match(await run(bob, 'requests'), /^alice +1 new +\d\d:\d\d +Hello Bob\n/);
    t.equal(await run(bob, 'let-in', 'alice'), 'alice can write to you now.\n');
    t.match(await run(bob, 'requests'), /^Nobody is waiting/);
    t.match(await run(bob, 'chats'), /^alice .*Hello Bob\n$/);
  });

  await t.test('an answer, a reaction, an edit', async (t) => {
    theirs.write(`/reply ${hello.id} Hi Alice\n`);
    const hi = await untilLine(ours, ({ text }) => text === 'Hi Alice');
    t.match(hi, { type: 'message', from: 'bob', reply: { to: 'you', id: hello.id } });
    ours.write(`/react ${hi.id} heart\n`);
    const put = await untilLine(theirs, ({ type }) => type === 'reaction');
    t.match(put, { from: 'alice', id: hi.id, ours: true, emoji: '❤️', put: true });
    theirs.write('/edit Hi, Alice!\n');
    const change = await untilLine(ours, ({ type }) => type === 'edited');
    t.match(change, { from: 'bob', id: hi.id, text: 'Hi, Alice!' });
  });

  await t.test('what a program has shown counts as read when it says so', async (t) => {
    const unread = async (): Promise<number> =>
      JSON.parse(await run(bob, 'chats', '--json'))['unread'];
    t.equal(await unread(), 1);
    theirs.write(`/read ${hello.id}\n`);
    await untilLine(theirs, ({ type, line }) => type === 'done' && line === `/read ${hello.id}`);
    t.equal(await unread(), 0);
    const said = (await run(alice, 'send', 'bob', 'And now?', '--json')).trim().split('\n');
    const [queued, sent] = said.map((line) => JSON.parse(line)).filter(({ to }) => to === 'bob');
    t.same(queued, { type: 'queued', to: 'bob', id: sent.id });
    t.same(sent, { type: 'sent', to: 'bob', id: sent.id });
    await untilLine(theirs, ({ id }) => id === sent.id);
    t.equal(await unread(), 1);
    t.match(await runIslander(bob, ['read', 'alice', '0123456789']), { code: 1 });
    t.equal(
      await run(bob, 'read', 'alice', sent.id),
      'What alice wrote until then counts as read.\n',
    );
    t.equal(await unread(), 0);
  });

  await t.test('the number to compare, with the code of the directory', async (t) => {
    ours.write('/verify\n');
    const shown = await untilLine(ours, ({ type }) => type === 'safety-number');
    const other = JSON.parse(
      (await run(bob, 'verify', 'alice', '--json')).split('\n').find((l) => l.includes('safety')) ??
        '',
    );
    t.same(shown.number, other.number);
    t.match(shown, { name: 'bob', directory: { code: /^\d{30}$/ } });
  });

  await t.test(
    'a file with a text, saved by who gets it, and gone when it is taken back',
    async (t) => {
      ours.write(`/attach "${file}" For tomorrow\n`);
      const sent = await untilLine(theirs, ({ text }) => text === 'For tomorrow');
      t.match(sent, {
        attachments: [{ name: 'the plan.pdf', size: 1_500_000, mime: 'application/pdf' }],
      });
      const to = join(folder, 'got.pdf');
      t.equal(await run(bob, 'attachments', 'alice', '1', '--to', to), `Saved: ${to}\n`);
      const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
      t.equal(digest(await readFile(to)), digest(plan));
      ours.write(`/delete ${sent.id}\n`);
      const gone = await untilLine(theirs, ({ type }) => type === 'deleted');
      t.match(gone, { from: 'alice', id: sent.id });
      t.match(await run(bob, 'attachments', 'alice'), /^There are no attachments with alice/);
    },
  );

  await t.test('a file from a command of its own; what is not a command is said', async (t) => {
    await run(bob, 'send', 'alice', '--attach', file, '--attach', file, 'Both', 'the', 'same');
    const both = await untilLine(ours, ({ text }) => text === 'Both the same');
    t.equal((both as { attachments?: unknown[] }).attachments?.length, 2);
    ours.write('//slash\n/nonsense\n');
    await untilLine(theirs, ({ text }) => text === '/slash');
    t.match(await untilLine(ours, ({ type }) => type === 'refused'), { text: /no \/nonsense/ });
    const missing = await runIslander(bob, ['send', 'alice', '--attach', join(folder, 'absent')]);
    t.match(missing, { code: 1, stderr: /cannot be read: it does not exist/ });
  });

  await t.test('all of it is found, exported, and the same on both sides', async (t) => {
    t.match(await run(alice, 'search', 'alic'), /^\d\d:\d\d bob: Hi, Alice!\n$/);
    await run(alice, 'export', join(folder, 'mine'), '--attachments');
    const text = await readFile(join(folder, 'mine', 'with bob.txt'), 'utf8');
    const lines = text.split('\n').map((line) => line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d /, ''));
    t.same(lines, [
      'you: Hello Bob',
      'bob: Hi, Alice! (edited)',
      '      (in answer to: Hello Bob)',
      '      (❤️ you)',
      'you: And now?',
      'you: (taken back)',
      'bob: Both the same',
      '      [the plan.pdf, 1.5 MB: attachments/the plan.pdf]',
      '      [the plan.pdf, 1.5 MB: attachments/the plan (2).pdf]',
      'you: /slash',
      '',
    ]);
    const numberOf = async (home: string, name: string) =>
      /(?: +\d{5}){4}\n(?: +\d{5}){4}\n(?: +\d{5}){4}/.exec(await run(home, 'verify', name))?.[0];
    t.equal(await numberOf(alice, 'bob'), await numberOf(bob, 'alice'));
  });

  await t.test('what is read is told, and settings say whether', async (t) => {
    t.match(
      await run(alice, 'settings', 'receipts', 'off'),
      /^delivered +off .*\nread +off .*\ntyping +off /,
    );
    t.match(await run(alice, 'settings', 'typing', 'on'), /\ntyping +on /);
    t.equal((await runIslander(alice, ['settings', 'colour', 'on'])).code, 2);
  });

  await t.test('a person who is blocked is not heard', async (t) => {
    await run(bob, 'block', 'alice');
    t.match(await run(bob, 'chats'), /^alice .*\[blocked\]/);
    const refused = await runIslander(bob, ['send', 'alice', 'x']);
    t.match(refused, { code: 1, stderr: /You have blocked alice\./ });
    await run(bob, 'unblock', 'alice');
    t.match(await run(bob, 'requests'), /^alice /);
  });

  ours.end();
  theirs.end();
  t.same(await Promise.all([ours.ended, theirs.ended]), [1, 0], 'one line was refused');
});
