/** What `listen` says of who writes, in which order, and what counts as seen by it. */
import { PassThrough } from 'node:stream';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person, type TestPerson } from '../testing/person.ts';
import { listen } from './commands/listen.ts';
import { openTerminal, type Streams } from './terminal.ts';

t.setTimeout(120_000);

/** `listen` in a terminal, or by a program. */
function listening(who: TestPerson, how: 'terminal' | 'pipe' | 'json') {
  const stdout = Object.assign(new PassThrough(), { isTTY: how === 'terminal' });
  const stderr = new PassThrough();
  let [out, err] = ['', ''];
  stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const streams = { stdin: new PassThrough(), stdout, stderr } as unknown as Streams;
  const stop = new AbortController();
  const terminal = openTerminal(streams, how === 'json');
  const ended = listen({ terminal, signal: stop.signal }, who, Number.POSITIVE_INFINITY);
  return {
    out: () => out,
    err: () => err,
    lines: () =>
      out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

const unread = async ({ islander }: TestPerson, name: string): Promise<number | undefined> =>
  (await islander.conversations.list()).find((each) => each.name === name)?.unread;

t.test('a request is called so, and what to do about it is said once a person', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  const terminal = listening(bob, 'terminal');
  await alice.sends('bob', 'Hello', 'Are you there?');
  await eventually(() => terminal.out().includes('there?'));
  t.match(terminal.out(), /^\d\d:\d\d alice \(request\): Hello\n/);
  await eventually(() => terminal.err().includes('let-in'));
  t.match(
    terminal.err(),
    /An answer or islander let-in alice lets alice in; islander block alice /,
  );
  t.equal(terminal.err().split('let-in').length, 2);
  await bob.islander.conversations.accept('alice');
  await alice.sends('bob', 'Thank you');
  await eventually(() => terminal.out().includes('Thank'));
  t.match(terminal.out(), /\n\d\d:\d\d alice: Thank you\n$/);
  await terminal.stop();
});

t.test('who watches a terminal has seen it; a pipe and a program have not', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  const program = listening(bob, 'json');
  await alice.sends('bob', 'one');
  await eventually(() => program.lines().some(({ text }) => text === 'one'));
  t.match(
    program.lines().find(({ text }) => text === 'one'),
    { type: 'message', request: true },
  );
  t.notMatch(program.lines(), [{ state: 'request' }]);
  await program.stop();
  t.equal(await unread(bob, 'alice'), 1);

  const pipe = listening(bob, 'pipe');
  await alice.sends('bob', 'two');
  await eventually(() => pipe.out().includes('two'));
  await pipe.stop();
  t.equal(await unread(bob, 'alice'), 2);

  const terminal = listening(bob, 'terminal');
  await alice.sends('bob', 'three');
  await eventually(async () => (await unread(bob, 'alice')) === 0);
  t.match(terminal.out(), /^\d\d:\d\d alice \(request\): three\n$/);
  await terminal.stop();
  t.same(await bob.storage.list('receipts-due'), [], 'who made a request is told nothing of it');
});
