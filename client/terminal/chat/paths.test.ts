/** A path is typed in more than one way, and what Tab makes of a name is read back as that name. */
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { complete } from './completion.ts';
import { fileAt, firstPath, quoted } from './paths.ts';

t.test('quotes and backslashes, as a shell and as terminals write them', async (t) => {
  const typed = (text: string): [string, string] => {
    const { path, end } = firstPath(text);
    return [path, text.slice(end)];
  };
  t.same(typed('plan.pdf Here'), ['plan.pdf', ' Here']);
  t.same(typed('the\\ plan.pdf Here'), ['the plan.pdf', ' Here']);
  t.same(typed('"the plan.pdf" Here'), ['the plan.pdf', ' Here']);
  t.same(typed('\'the "plan".pdf\' Here'), ['the "plan".pdf', ' Here']);
  t.same(typed('"the \\"plan\\".pdf" Here'), ['the "plan".pdf', ' Here']);
  t.same(typed('"a\\\\b\\c"'), ['a\\b\\c', ''], 'a backslash before anything else is one');
  t.same(typed("'it'\\''s the plan.pdf' Here"), ["it's the plan.pdf", ' Here']);
  t.same(typed("it's.pdf"), ["it's.pdf", ''], 'within a path that began without one');
  t.same(typed('a"b".pdf x'), ['a"b".pdf', ' x']);
  t.same(typed('"not closed'), ['not closed', '']);
  t.same(typed('""'), ['', '']);
  t.same(fileAt('~/a b'), [join(homedir(), 'a'), 'b']);
  t.same(fileAt('"~/a b"  said '), [join(homedir(), 'a b'), 'said']);
  t.same(fileAt('x'), [resolve('x'), '']);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (path, more) => {
      const text = `${quoted(path)} ${more}`;
      const read = firstPath(text);
      return read.path === path && text.slice(read.end) === ` ${more}`;
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('"', "'", '\\', ' ', 'a') }), (text) => {
      const { end } = firstPath(text);
      return end <= text.length;
    }),
  );
});

t.test('Tab completes commands and paths, in quotes where they need them', async (t) => {
  const folder = t.testdir({ 'a plan.pdf': '', 'a photo.jpg': '', '.hidden': '', sub: {} });
  t.same(await complete('/ver'), { line: '/verify ', choices: [] });
  t.match(await complete('/re'), { line: '/re', choices: ['/reply', '/react', '/read'] });
  t.same(await complete('no command'), { line: 'no command', choices: [] });
  t.same(await complete(`/attach ${folder}/su`), { line: `/attach ${folder}/sub/`, choices: [] });
  t.same(await complete(`/att ${folder}/su`), { line: `/att ${folder}/sub/`, choices: [] });
  t.match(await complete(`/attach ${folder}/a`), {
    line: `/attach "${folder}/a p`,
    choices: ['a photo.jpg', 'a plan.pdf'],
  });
  const whole = { line: `/attach "${folder}/a plan.pdf" `, choices: [] };
  for (const begun of [`"${folder}/a pl`, `'${folder}/a pl`, `${folder}/a\\ pl`])
    t.same(await complete(`/attach ${begun}`), whole, begun);
  t.same(await complete(whole.line), whole, 'it is whole: nothing changes');
  t.same(await complete(`/save 7 ${folder}/su`), { line: `/save 7 ${folder}/sub/`, choices: [] });
  const absent = `/attach '${folder}/absent`;
  t.same(await complete(absent), { line: absent, choices: [] });
});

t.test('whatever a file is called, what Tab makes of it names it', async (t) => {
  const folder = t.testdir({});
  const names = ['the "plan".pdf', "it's.pdf", 'back\\slash', ' spaces ', '"', '\\', '$HOME `x`'];
  for (const [i, name] of names.entries()) {
    const own = join(folder, String(i));
    await mkdir(own);
    await writeFile(join(own, name), '');
    const { line } = await complete(`/attach ${own}/`);
    t.same(fileAt(line.slice('/attach '.length)), [join(own, name), ''], name);
    const begun = await complete(`/attach ${quoted(join(own, name.slice(0, 1)), true)}`);
    t.equal(begun.line, `/attach ${quoted(join(own, name))} `);
  }
});
