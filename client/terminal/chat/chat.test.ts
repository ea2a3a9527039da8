/** What a window of a conversation shows: everything that was done, nothing that steers the terminal, in its columns. */
import { encodeDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import fc from 'fast-check';
import t from 'tap';
import type { ShownMessage } from '../../conversation/view.ts';
import { durationText, parseDuration, sizeText } from '../amounts.ts';
import { emojiOf } from '../emoji.ts';
import { widthOf } from '../screen/columns.ts';
import { emptyLine, lineOf } from '../screen/line-editor.ts';
import { helpLines, isCommand, runCommand, unescaped } from './commands.ts';
import { layOut, movingText, type Window } from './layout.ts';
import { conversationLines, type Look } from './lines.ts';
import { Mistake, type Talk } from './talk.ts';

const now = new Date(2026, 10, 23, 12, 0).getTime();
const numbers = new Map<string, number>();
const look: Look = {
  name: 'bob',
  columns: 60,
  numberOf: (key) => numbers.get(key) ?? 7,
  newFrom: undefined,
  now,
  paint: (_, text) => text,
};
const message = (given: Partial<ShownMessage>): ShownMessage => ({
  ...{ type: 'message', at: 'a', key: 'k', id: 'ab', direction: 'in', time: now, sentAt: now },
  ...{ text: '', revision: 0, deleted: false, reactions: [], unread: false },
  ...given,
});
const shownAs = (given: Partial<ShownMessage>): string[] =>
  conversationLines([message(given)], look).lines.slice(1);

t.test('each thing that was done to a message shows', async (t) => {
  t.same(shownAs({ text: 'Hello' }), ['  7 12:00 bob  Hello']);
  t.same(shownAs({ text: 'Hi', direction: 'out', state: 'read' }), ['  7 12:00 you  Hi ✓✓ read']);
  t.same(shownAs({ text: 'Hi', direction: 'out', state: 'queued', elsewhere: true }), [
    '  7 12:00 you  Hi (from another device) … waits to be sent',
  ]);
  t.same(shownAs({ text: 'Hi', direction: 'out', state: 'sent', request: 'waits' }), [
    '  7 12:00 you  Hi ✓ request: not told whether it came',
  ]);
  t.same(shownAs({ text: 'Hi', direction: 'out', state: 'sent', request: 'over' }), [
    '  7 12:00 you  Hi ✓ request',
  ]);
  t.same(shownAs({ deleted: true }), ['  7 12:00 bob  bob took this back']);
  const reply = { direction: 'out', id: 'cd', excerpt: 'Coming?' } as const;
  const reactions = [{ emoji: '👍', mine: true, theirs: false }];
  t.same(shownAs({ text: 'Yes', edited: now, reply, reactions }), [
    '  7 12:00 bob  ↳ you: Coming?',
    '               Yes (edited)',
    '               👍 you',
  ]);
  t.same(shownAs({ text: 'x', timer: 86_400, expires: now + 7_200_000 }), [
    '  7 12:00 bob  x ⧗ 2 h',
  ]);
  const [id, key] = [new Uint8Array(16), new Uint8Array(32)];
  const place = { blob: id, fileKey: key, digest: key, commit: key, deleteKey: id };
  const what = { size: 1_234_567, expiresDay: 0xffff_ffff, mime: 'a/b', name: 'plan.pdf' };
  const attachments = [encodeDescriptor({ ...place, ...what, preview: undefined }), id];
  t.same(shownAs({ attachments }), ['  7 12:00 bob  📎 plan.pdf, 1.2 MB  /save 7']);
});

t.test('why nothing is told of a request is said once', async (t) => {
  const asked = { direction: 'out', state: 'sent', request: 'waits' } as const;
  const { lines } = conversationLines(
    [message({ text: 'Hi', ...asked }), message({ text: 'Hello?', ...asked })],
    look,
  );
  t.same(lines.slice(1), [
    '  7 12:00 you  Hi ✓ request',
    '  7 12:00 you  Hello? ✓ request: not told whether it came',
  ]);
});

t.test('days, what is new, what is missing', async (t) => {
  const day = 86_400_000;
  const missing = { type: 'unreadable', at: 'b', key: 'l', time: now, reason: 'No.' } as const;
  const shown = [
    message({ text: 'one', time: now - day }),
    message({ text: 'two', at: 'c' }),
    { ...missing, state: 'recovering' as const },
    { ...missing, state: 'lost' as const, count: 3 },
    message({ text: 'odd', time: Number.MAX_VALUE }),
  ];
  const { lines, mark } = conversationLines(shown, { ...look, newFrom: 'c' });
  t.match(lines[0], / Yesterday /);
  t.match(lines[2], / Today /);
  t.equal(mark, 3);
  t.match(lines[3], /new since you were last here/);
  t.match(lines[5], /12:00 a message from bob cannot be read yet: recovering…/);
  t.match(lines[6], /3 messages could not be recovered/);
  t.match(lines[7], /an unknown day/);
});

t.test('whatever others write stays in its lines and its columns', async () => {
  const hostile = fc.string({
    unit: fc.oneof(
      fc.constantFrom(
        '\u001b[2J',
        '\r',
        '\n',
        '\u202e',
        '\u0007',
        '\u009b',
        '語',
        '👩‍👩‍👧',
        '\t',
        ' ',
      ),
      fc.string({ unit: 'binary' }),
    ),
  });
  fc.assert(
    fc.property(hostile, fc.integer({ min: 30, max: 120 }), (text, columns) => {
      const reply = { direction: 'in', id: 'cd', excerpt: text } as const;
      const reactions = [{ emoji: text, mine: false, theirs: true }];
      const given = message({
        text,
        reply,
        reactions,
        reason: text,
        state: 'failed',
        direction: 'out',
      });
      const { lines } = conversationLines([given], { ...look, columns });
      return lines.every(
        (line) =>
          widthOf(line) <= columns && !/[\p{Cc}\u202a-\u202e\u2066-\u2069\u2028\u2029]/u.test(line),
      );
    }),
  );
});

t.test('a window has as many lines as the terminal, and the cursor in it', async (t) => {
  const window: Window = {
    ...{ name: 'bob', columns: 80, rows: 24, paint: look.paint, lines: ['x'], scroll: 0 },
    ...{ standing: 'request', verified: true, timer: 86_400, online: false, trouble: undefined },
    ...{ typing: true, moving: undefined, panel: helpLines(), line: emptyLine },
    ...{ selected: false, waiting: 0 },
  };
  fc.assert(
    fc.property(
      fc.integer({ min: 6, max: 60 }),
      fc.integer({ min: 20, max: 200 }),
      fc.string({ unit: 'grapheme', maxLength: 500 }),
      fc.nat(100),
      (rows, columns, typed, count) => {
        const lines = Array.from({ length: count }, (_, i) => `line ${i}`);
        const { frame } = layOut({ ...window, rows, columns, lines, line: lineOf(typed) });
        const { row, column } = frame.cursor;
        return frame.lines.length === rows && row < rows && column < columns;
      },
    ),
  );
  t.ok(layOut({ ...window, rows: 12 }).frame.lines.includes('…'), 'what has no room ends with it');
  t.ok(helpLines().every((line) => widthOf(line) <= 80));
  const { frame } = layOut(window);
  t.match(
    frame.lines[0],
    / bob · verified · messages disappear after 1 day · wants to write to you/,
  );
  t.match(frame.lines.at(-2), /^reconnecting….*bob is writing….*\/help$/);
  const waiting = layOut({ ...window, columns: 120, waiting: 2 }).frame.lines.at(-2);
  t.match(waiting, /^reconnecting….* · 2 files wait · bob is writing/);
  const moving = { name: 'a.pdf', size: 900, done: 512, total: 1_024 };
  const one = layOut({ ...window, moving, waiting: 1 }).frame.lines.at(-2);
  t.match(one, /^a\.pdf █+░+ {2}50 % of 900 bytes · 1 more +\/help$/);
  t.match(movingText(moving, 60), /a\.pdf █+░+ {2}50 % of 900 bytes/);
});

t.test('commands: by their beginning, with what they need, and never by mistake', async (t) => {
  t.ok(isCommand('/help'));
  t.notOk(isCommand('//help'));
  t.equal(unescaped('//help'), '/help');
  const told: string[] = [];
  const talk = { name: 'bob', tell: (lines: string[]) => told.push(...lines) } as unknown as Talk;
  await runCommand(talk, '/h');
  t.ok(told.some((line) => line.startsWith('/reply N TEXT')));
  for (const line of [
    '/',
    '/nonsense',
    '/re',
    '/reply 7',
    '/delete',
    '/react 7',
    '/attach',
    '/timer soon',
  ])
    await t.rejects(runCommand(talk, line), Mistake, line);
});

t.test('amounts as people write them', async (t) => {
  t.same([0, 1, 999, 1_500, 12_345_678].map(sizeText), [
    '0 bytes',
    '1 byte',
    '999 bytes',
    '1.5 kB',
    '12 MB',
  ]);
  t.same([60, 5_400, 86_400, 604_800].map(durationText), [
    '1 minute',
    '90 minutes',
    '1 day',
    '1 week',
  ]);
  t.same(['30s', '1d', 'off', '0m', '1y', 'x'].map(parseDuration), [
    30,
    86_400,
    0,
    undefined,
    undefined,
    undefined,
  ]);
  t.same([':heart:', '+1', '🦊'].map(emojiOf), ['❤️', '👍', '🦊']);
});
