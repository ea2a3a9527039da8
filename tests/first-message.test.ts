/** From an invite link to the first message, with the commands that a newcomer types. */
import { join } from 'node:path';
import t from 'tap';
import { bootIsland } from './island.ts';
import { passwordOf, people, runIslander, talk, textsFrom, untilLine } from './islander.ts';

t.test('two people register with invites, and exchange their first messages', async (t) => {
  await using island = await bootIsland();
  await using who = await people(island, 'alice', 'bob');
  const alice = who.homeOf('alice');
  const bob = who.homeOf('bob');

  const sent = await runIslander(alice, ['send', 'bob', 'Hello', 'Bob']);
  t.match(sent, { code: 0, stdout: '✓ Sent to bob.\n' });
  const heard = await runIslander(bob, ['listen', '--count', '1']);
  t.equal(heard.code, 0);
  t.match(heard.stdout, /^\d\d:\d\d alice \(request\): Hello Bob\n$/);
  t.match(heard.stderr, /^alice wrote to you first.* islander let-in alice lets alice in/m);

  const lines = Array.from({ length: 30 }, (_, i) => `line ${i}`);
  const many = await runIslander(bob, ['send', 'alice', '-'], `${lines.join('\n')}\n`);
  t.match(many, { code: 0, stdout: '✓ 30 messages sent to alice.\n' });
  const listening = talk(alice, 'listen', '--count', '30');
  t.equal(await listening.ended, 0);
  t.same(textsFrom(listening, 'bob'), lines);

  await t.test('what was shown once is not shown again', async (t) => {
    const again = talk(alice, 'listen');
    await untilLine(again, ({ state }) => state === 'online');
    await runIslander(bob, ['send', 'alice', 'the next one']);
    await untilLine(again, ({ text }) => text === 'the next one');
    t.same(textsFrom(again, 'bob'), ['the next one']);
    again.kill('SIGTERM');
    t.equal(await again.ended, 0);
  });

  await t.test(
    'two chats: each line arrives, ends when its input has ended and all is accepted',
    async (t) => {
      const ours = talk(alice, 'chat', 'bob');
      const theirs = talk(bob, 'chat', 'alice');
      ours.write('from alice\n');
      theirs.write('from bob\n');
      await Promise.all([
        untilLine(ours, ({ text }) => text === 'from bob'),
        untilLine(theirs, ({ text }) => text === 'from alice'),
      ]);
      ours.end();
      theirs.end();
      t.same(await Promise.all([ours.ended, theirs.ended]), [0, 0]);
      t.equal(ours.lines.filter(({ type }) => type === 'sent').length, 1);
    },
  );

  await t.test('several processes of one home share it: one listens, others send', async (t) => {
    const listening = talk(bob, 'listen');
    await untilLine(listening, ({ state }) => state === 'online');
    const codes = await Promise.all(
      ['a', 'b', 'c'].map(async (text) => (await runIslander(bob, ['send', 'alice', text])).code),
    );
    t.same(codes, [0, 0, 0]);
    await runIslander(alice, ['send', 'bob', 'answer']);
    await untilLine(listening, ({ text }) => text === 'answer');
    listening.kill('SIGTERM');
    await listening.ended;
    const heard = talk(alice, 'listen', '--count', '3');
    t.equal(await heard.ended, 0);
    t.same(textsFrom(heard, 'bob').sort(), ['a', 'b', 'c']);
  });

  await t.test('signing out and in again', async (t) => {
    t.match(await runIslander(alice, ['logout']), {
      code: 0,
      stdout: 'Signed out. To come back: npx islander login\n',
    });
    t.match(await runIslander(alice, ['listen']), {
      code: 1,
      stderr: 'islander: This device is signed out. Use: npx islander login\n',
    });
    t.match(await runIslander(alice, ['send', 'bob', 'unnoticed']), {
      code: 1,
      stderr: 'islander: This device is signed out. Use: npx islander login\n',
    });
    const wrong = await runIslander(alice, ['login'], 'not the password\n');
    t.equal(wrong.code, 1);
    t.match(
      wrong.stderr,
      /^islander: The name or the password is not right\. Check both and try again\.$/m,
    );
    t.match(await runIslander(alice, ['login'], `${passwordOf('alice')}\n`), {
      code: 0,
      stdout: 'Signed in as alice.\n',
    });
    t.equal((await runIslander(alice, ['send', 'bob', 'back'])).code, 0);
  });
});

t.test('each failure is one plain sentence and exit code 1', async (t) => {
  await using island = await bootIsland();
  const first = island.welcome.invite ?? '';
  await using who = await people(island, 'alice');
  const alice = who.homeOf('alice');
  const fresh = join(alice, 'nobody');
  const invite = async () => (await island.run('invite')).stdout.trim();
  const failure = async (home: string, args: string[], sentence: string, input = 'x\n') => {
    const { code, stdout, stderr } = await runIslander(home, args, input);
    t.equal(code, 1, args.join(' ').slice(0, 60));
    t.equal(stdout, '');
    t.equal(stderr.trim().split('\n').at(-1), `islander: ${sentence}`);
  };
  await failure(
    fresh,
    ['register', first, 'bob'],
    'This invite was used already. Ask for a new one.',
  );
  await failure(
    fresh,
    ['register', await invite(), 'alice'],
    'Somebody here already has that name. Choose another.',
  );
  await failure(
    fresh,
    ['register', await invite(), 'No Name'],
    'A name has 1 to 32 characters: a-z, 0-9, and . _ - between them. Choose another.',
  );
  await failure(
    fresh,
    ['register', 'https://localhost', 'bob'],
    'That is not an invite link. It looks like island://HOST/join?ca=…&invite=… and is printed by the island; copy it whole.',
  );
  const foreign = (await invite()).replace(/ca=[^&]+/, `ca=${'A'.repeat(43)}`);
  await failure(
    fresh,
    ['register', foreign, 'bob'],
    `The certificate of ${island.welcome.address} is not that of the island in your invite link. Do not go on: ask whoever invited you for a new link.`,
  );
  await failure(
    fresh,
    ['register', await invite(), 'bob'],
    'There is no password: give one on the first line of standard input, or use --password-file FILE.',
    '',
  );
  await failure(
    alice,
    ['register', await invite(), 'bob'],
    `alice is registered in ${alice} already. For somebody else use --home DIR with another folder.`,
  );
  await failure(
    fresh,
    ['login'],
    `There are no device keys in ${fresh}. Sign in from the folder in which you registered; or make this one a device of your account, with npx islander recover LINK, or with npx islander link on another device.`,
  );
  await failure(
    fresh,
    ['send', 'alice', 'hi'],
    `Nobody is registered in ${fresh} yet. Use: npx islander register LINK NAME`,
  );
  await failure(
    alice,
    ['send', 'nobody', 'hi'],
    'Nobody on this island has that name. Check the spelling.',
  );
  await failure(
    alice,
    ['chat', 'nobody'],
    'Nobody on this island has that name. Check the spelling.',
  );
  await failure(
    alice,
    ['send', 'alice', 'hi'],
    'That is your own name: a message needs somebody else to go to.',
  );
  // An empty text is no text: it must not make the command send what lies on standard input.
  await failure(alice, ['send', 'bob', ''], 'There is nothing to send: the message is empty.');
  await failure(
    alice,
    ['send', 'bob', 'x'.repeat(8001)],
    'That message is too long: 8001 bytes, and 8000 is the limit. Send it in parts.',
  );
  const link = await invite();
  await island.stop();
  await failure(
    fresh,
    ['register', link, 'bob'],
    `The island at ${island.welcome.address} cannot be reached. Check that it is running and that this machine has a connection.`,
  );
  await failure(
    alice,
    ['login'],
    `The island at ${island.welcome.address} cannot be reached. Check that it is running and that this machine has a connection.`,
  );
  for (const args of [
    [],
    ['send'],
    ['no-such-command'],
    ['listen', '--count', '0'],
    ['whoami', '--no-such-option'],
  ]) {
    t.equal((await runIslander(alice, args)).code, 2, `wrong usage: ${args.join(' ')}`);
  }
});
