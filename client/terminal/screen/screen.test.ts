/** Columns hold whatever is written; a line is edited by what a person takes for a character; a frame writes what changed. */
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import t from 'tap';
import type { Streams } from '../terminal.ts';
import { cut, fill, hardWrap, widthOf, wrap } from './columns.ts';
import { edited, inserted, type Key, type Line, lineOf, typedBefore } from './line-editor.ts';
import { openScreen } from './screen.ts';

t.test(
  'lines break at spaces, wide characters take two columns, nothing is longer than told',
  async (t) => {
    t.same(wrap('one two three', 7), ['one two', 'three']);
    t.same(wrap('a  b', 80), ['a  b']);
    t.same(wrap('日本語日本語', 5), ['日本', '語日', '本語']);
    t.same(wrap('x abcdefgh y', 4), ['x', 'abcd', 'efgh', 'y']);
    t.same(wrap('two\n\nlines\n', 9), ['two', '', 'lines', '']);
    t.same(hardWrap('👩‍👩‍👧👩‍👩‍👧', 3), ['👩‍👩‍👧', '👩‍👩‍👧'], 'a family is not torn apart');
    t.equal(cut('日本語', 5), '日本…');
    t.equal(widthOf(fill('日本', 10)), 10);
    const text = fc.string({
      unit: fc.oneof(fc.constantFrom(' ', '\n', '語', '👍', 'é', '\u0301'), fc.string()),
    });
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 40 }), (given, width) => {
        const lines = wrap(given, width);
        if (lines.some((line) => widthOf(line) > width)) return false;
        const bare = (some: string) => some.replace(/[ \t\n]/g, '');
        return bare(lines.join('')) === bare(given);
      }),
    );
  },
);

const press = (line: Line, name: string, keys: Partial<Key> = {}): Line =>
  edited(line, undefined, { name, ...keys }) ?? line;

t.test('a character is what a person takes for one; words go whole', async (t) => {
  t.same(press(lineOf('ab👩‍👩‍👧'), 'backspace'), lineOf('ab'));
  t.same(press(lineOf('a👍'), 'left'), { before: 'a', after: '👍' });
  t.same(press(press(lineOf('a👍'), 'left'), 'delete'), lineOf('a'));
  t.same(press(lineOf('one two '), 'w', { ctrl: true }), lineOf('one '));
  t.same(press(lineOf('one two'), 'b', { meta: true }), { before: 'one ', after: 'two' });
  t.same(press({ before: 'x', after: 'y' }, 'u', { ctrl: true }), { before: '', after: 'y' });
  t.same(edited(lineOf('語'), '漢', { name: undefined }), lineOf('語漢'));
  t.equal(edited(lineOf(''), undefined, { name: 'f5' }), undefined);
  t.same(inserted(lineOf(''), 'a\r\nb\u001b[2J\u0007'), lineOf('a\nb[2J'), 'no control characters');
});

t.test('what was typed before comes back, and what was begun is not lost', async (t) => {
  const typed = typedBefore();
  typed.add('one');
  typed.add('two');
  t.equal(typed.older('begun'), 'two');
  t.equal(typed.older('two'), 'one');
  t.equal(typed.older('one'), undefined);
  t.equal(typed.newer(), 'two');
  t.equal(typed.newer(), 'begun');
  t.equal(typed.newer(), undefined);
});

t.test(
  'a frame writes lines that changed; what is pasted comes at once; closing restores',
  async (t) => {
    const stdin = Object.assign(new PassThrough(), { setRawMode: () => undefined });
    const stdout = Object.assign(new PassThrough(), { columns: 20, rows: 3 });
    const streams = { stdin, stdout, stderr: stdout } as unknown as Streams;
    const out = () => String(stdout.read() ?? '');
    const seen: string[] = [];
    {
      using screen = openScreen(streams, {
        onKey: (typed, { name }) => seen.push(`key ${typed ?? name}`),
        onPaste: (text) => seen.push(`paste ${text}`),
        onResize: () => seen.push('resize'),
      });
      t.match(out(), '\u001b[?1049h');
      screen.draw({ lines: ['a', 'b', '› '], cursor: { row: 2, column: 2 } });
      t.match(out(), /a.*b/s);
      screen.draw({ lines: ['a', 'c', '› '], cursor: { row: 2, column: 2 } });
      const second = out();
      t.match(second, '\u001b[2;1H\u001b[2Kc');
      t.notMatch(second, '\u001b[1;1H');
      stdin.write('x\u001b[200~two\rlines\u001b[201~');
      await new Promise((resolve) => setImmediate(resolve));
      t.same(seen, ['key x', 'paste two\rlines']);
      stdout.emit('resize');
      screen.draw({ lines: ['a', 'c', '› '], cursor: { row: 2, column: 2 } });
      t.match(out(), '\u001b[1;1H', 'all of it anew');
    }
    t.match(out(), '\u001b[?1049l');
  },
);
