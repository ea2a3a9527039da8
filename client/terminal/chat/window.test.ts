/** The window of a conversation as a person uses it: keys in, lines on a screen out, over an island that can be lost. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Fault } from '@island/protocol/wire/fault.ts';
import t from 'tap';
import { eventually } from '../../../services/kit/testing/outcome.ts';
import { readDraft } from '../../conversation/drafts.ts';
import { register } from '../../joining/registration.ts';
import { fileStorage } from '../../storage/file.ts';
import { oddIsland } from '../../testing/odd-island.ts';
import { person, quickPlatform } from '../../testing/person.ts';
import { openTerminal, type Streams } from '../terminal.ts';
import { chatWindow } from './window.ts';

t.setTimeout(120_000);

const esc = String.fromCharCode(27);

/** A terminal that remembers what stands on it. */
function fakeTerminal() {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 });
  const stderr = new PassThrough();
  const rows: string[] = [];
  let [at, fresh] = [-1, false];
  stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const part of text.split(`${esc}[`)) {
      // What a line is styled with is no place.
      const [, row] = /^(\d+);1H$/.exec(part) ?? [];
      if (row !== undefined) [at, fresh] = [Number(row) - 1, true];
      else if (fresh && part.startsWith('2K')) [rows[at], fresh] = [part.slice(2), false];
      else if (part.startsWith('?') || /^\d+;\d+H/.test(part)) at = -1;
      else if (at >= 0) rows[at] += part.replace(/^[\d;]*m/, '');
    }
  });
  const streams = { stdin, stdout, stderr } as unknown as Streams;
  const shows = (wanted: RegExp): Promise<void> =>
    eventually(() => wanted.test(rows.join('\n')), 20_000).catch(() => {
      throw new Error(`${wanted} is not on the screen: ${JSON.stringify(rows)}`);
    });
  return { streams, shows, rows, type: (text: string) => void stdin.write(text), stderr };
}

t.test('what is written, comes, and is lost on the way shows; a draft is kept', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'islander-window-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const home = join(dir, 'alice');
  await using island = await oddIsland();
  await using bob = await person(island, 'bob');
  {
    await using storage = fileStorage(home);
    const joining = { storage, platform: quickPlatform, now: Date.now };
    await register(joining, island.link, 'alice', { password: 'password' });
  }
  bob.islander.startSending();
  bob.islander.startReceiving();
  await bob.sends('alice', 'Hello \u001b[2Jthere');

  const open = () => {
    const terminal = fakeTerminal();
    const context = {
      terminal: openTerminal(terminal.streams, false),
      home,
      signal: new AbortController().signal,
    };
    return { ...terminal, closed: chatWindow(context, 'bob') };
  };
  const first = open();
  await first.shows(/ 1 \d\d:\d\d bob {2}Hello \ufffd\[2Jthere\n/);
  await first.shows(/bob wrote to you first/);
  first.type('Hi Bob\r');
  await first.shows(/ 2 \d\d:\d\d you {2}Hi Bob ✓/);
  first.type('/react 1 +1\r/edit Hi, Bob!\r');
  await first.shows(/👍 you/);
  await first.shows(/you {2}Hi, Bob! \(edited\) ✓/);
  const [, theirs] = await bob.islander.conversations.view('alice');
  await bob.islander.conversations.react('alice', theirs?.at ?? '', '🎉', true);
  await first.shows(/🎉 bob/);
  first.type('/nonsense\r');
  await first.shows(/There is no \/nonsense/);
  first.type('/help\r');
  await first.shows(/\/reply N TEXT +answers message N/);

  island.twist.send = () => {
    throw new Fault('unavailable');
  };
  first.type('On its way\r');
  await first.shows(/On its way … waits to be sent/);
  delete island.twist.send;
  await first.shows(/On its way ✓/);
  first.type('begun 漢字');
  await first.shows(/› begun 漢字/);
  first.type('\u0003');
  await first.closed;

  await bob.sends('alice', 'While you were away');
  const second = open();
  await second.shows(/› begun 漢字/);
  await second.shows(/new since you were last here ─+\n.* bob {2}While you were away/);
  second.type('\u0015/quit\r');
  await second.closed;
});

t.test(
  'what was refused, and a draft, do not join what is pasted; a killed window keeps a draft',
  async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'islander-window-'));
    t.teardown(() => rmSync(dir, { recursive: true }));
    await using island = await oddIsland();
    await using bob = await person(island, 'bob');
    bob.islander.startReceiving();
    {
      await using storage = fileStorage(dir);
      const joining = { storage, platform: quickPlatform, now: Date.now };
      await register(joining, island.link, 'alice', { password: 'password' });
    }
    const open = () => {
      const terminal = fakeTerminal();
      const { signal } = new AbortController();
      const context = { terminal: openTerminal(terminal.streams, false), home: dir, signal };
      return { ...terminal, closed: chatWindow(context, 'bob') };
    };
    const paste = (text: string): string => `${esc}[200~${text}${esc}[201~`;
    const saidToBob = async (): Promise<string[]> =>
      (await bob.islander.conversations.view('alice')).map((each) =>
        each.type === 'message' ? each.text : '',
      );
    const first = open();
    await first.shows(/› /);
    first.type('/nonsense\r');
    await first.shows(/There is no \/nonsense.*\n.*anything else replaces it/);
    await first.shows(/› \/nonsense$/);
    t.notMatch(first.rows[0], /wants to write/, 'nobody has written anything');
    first.type(`${paste('Hello')}\r`);
    await first.shows(/you {2}Hello ✓ request: not told whether it came\n/);
    first.type('/nonsense again\r');
    await first.shows(/› \/nonsense again$/);
    first.type('Typed\r');
    await eventually(async () => (await saidToBob()).includes('Typed'));
    t.same(await saidToBob(), ['Hello', 'Typed']);

    first.type('a draft');
    await using other = fileStorage(dir);
    await eventually(async () => (await readDraft(other, 'bob')) === 'a draft');
    first.type('\u0003');
    await first.closed;

    const second = open();
    await second.shows(/› a draft$/);
    second.type(paste('Pasted'));
    await second.shows(/Your draft gave way.*\n.*\n› Pasted$/);
    second.type('\r');
    await eventually(async () => (await saidToBob()).includes('Pasted'));
    second.type(`${esc}[A${esc}[A`);
    await second.shows(/› a draft$/);
    second.type(' goes on\r');
    await eventually(async () => (await saidToBob()).includes('a draft goes on'));
    second.type('/quit\r');
    await second.closed;
    t.equal(await readDraft(other, 'bob'), '');
  },
);

t.test('a name that nobody has is said before a window opens', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'islander-window-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  await using island = await oddIsland();
  {
    await using storage = fileStorage(dir);
    const joining = { storage, platform: quickPlatform, now: Date.now };
    await register(joining, island.link, 'alice', { password: 'password' });
  }
  const terminal = fakeTerminal();
  const context = { terminal: openTerminal(terminal.streams, false), home: dir };
  const { signal } = new AbortController();
  await t.rejects(chatWindow({ ...context, signal }, 'nobody'), { code: 'unknown_person' });
  t.same(terminal.rows, []);
});
