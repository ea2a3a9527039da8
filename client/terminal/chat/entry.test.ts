/** What was put into the line and not typed there stays apart from what comes next. */
import t from 'tap';
import { eventually } from '../../../services/kit/testing/outcome.ts';
import { textOf } from '../screen/line-editor.ts';
import { openDraft } from './draft.ts';
import { openEntry } from './entry.ts';

function opened() {
  const typed: string[] = [];
  const said: string[] = [];
  let left = 0;
  const none = (): void => undefined;
  const entry = openEntry({
    onChange: (text, byPerson) => byPerson && typed.push(text),
    onSubmit: (text) => said.push(text),
    onDraftLeft: () => {
      left += 1;
    },
    ...{ onChoices: none, onTurn: none, onEscape: none, onClose: none },
  });
  const press = (name: string) => entry.onKey(undefined, { name });
  const type = (text: string) => {
    for (const each of text) entry.onKey(each, { name: each });
  };
  return { entry, typed, said, press, type, left: () => left, text: () => textOf(entry.line) };
}

t.test(
  'a refused line gives way to what is typed, pasted or deleted, and is had again',
  async (t) => {
    for (const [how, result] of [
      ['type', 'xy'],
      ['paste', 'pasted'],
      ['backspace', ''],
    ] as const) {
      const { entry, press, type, text } = opened();
      t.ok(entry.giveBack('/nonsense'));
      t.ok(entry.selected);
      if (how === 'type') type('xy');
      else if (how === 'paste') entry.onPaste('pasted');
      else press('backspace');
      t.equal(text(), result);
      t.notOk(entry.selected);
      press('up');
      t.equal(text(), '/nonsense', how);
      press('down');
      t.equal(text(), result);
    }
  },
);

t.test(
  'a refused line is changed by who moves in it, tried again by Enter, and no other is lost for it',
  async (t) => {
    const { entry, press, type, text, said } = opened();
    type('/reaact');
    press('return');
    entry.giveBack('/reaact');
    press('return');
    t.same(said, ['/reaact', '/reaact']);
    entry.giveBack('/reaact');
    press('left');
    t.notOk(entry.selected);
    type('c');
    t.equal(text(), '/reaacct');
    t.notOk(entry.giveBack('another'), 'something else is being written');
    t.equal(text(), '/reaacct');
    const two = opened();
    two.entry.giveBack('first');
    t.ok(two.entry.giveBack('second'), 'the last one that was refused');
    t.equal(two.text(), 'second');
  },
);

t.test('older lines come one by one, also from a line that was refused', async (t) => {
  const { entry, press, type, text } = opened();
  for (const line of ['one', 'two']) {
    type(line);
    press('return');
  }
  entry.giveBack('two');
  press('up');
  t.equal(text(), 'one');
});

t.test('a draft goes on with what is typed, and gives way to what is pasted', async (t) => {
  const going = opened();
  going.entry.restore('a draft');
  t.same(going.typed, [], 'nobody is told that somebody writes');
  going.type('!');
  going.entry.onPaste(' pasted');
  t.equal(going.text(), 'a draft! pasted', 'it was taken up');
  const { entry, press, text, left } = opened();
  entry.restore('a draft');
  entry.onPaste('pasted');
  t.equal(text(), 'pasted');
  t.equal(left(), 1);
  press('up');
  t.equal(text(), 'a draft');
});

t.test(
  'pitfall: what is written on and on is never kept; what was said comes back as a draft',
  async (t) => {
    const kept: string[] = [];
    let line = '';
    const keep = async (text: string): Promise<void> => void kept.push(text);
    const draft = openDraft(
      { text: () => line, keep, onFailed: (error) => t.fail(String(error)) },
      '',
    );
    await eventually(() => {
      line += 'x';
      draft.changed();
      return kept.length > 0;
    });
    line = 'at last';
    draft.changed();
    await eventually(() => kept.at(-1) === 'at last');
    const before = kept.length;
    draft.emptied();
    await eventually(() => kept.length > before);
    t.equal(kept.at(-1), 'at last', 'what was typed meanwhile is kept again');
    line = '';
    draft.changed();
    await eventually(() => kept.at(-1) === '');
    line = 'too late';
    draft.changed();
    await draft.close();
    t.equal(kept.at(-1), '');
  },
);
