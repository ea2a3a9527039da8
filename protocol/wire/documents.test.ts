/** The protocol's documents and the code say the same. */
import { readdir, readFile } from 'node:fs/promises';
import t from 'tap';
import * as v from 'valibot';
import { faults } from './fault.ts';
import { limits } from './limits.ts';
import { routes } from './routes.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string): Promise<string> => readFile(new URL(path, root), 'utf8');

/** The cells of a table's rows, without ticks, from the lines that begin with a ticked word. */
function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.replaceAll('`', '').trim()),
    );
}

/** The text of a section, from its heading to the next one of the same depth. */
function section(text: string, heading: string): string {
  const [, after = ''] = text.split(`\n${heading}\n`);
  const [depth = ''] = heading.split(' ');
  return after.split(`\n${depth} `)[0] ?? '';
}

t.test('I3: faults.md lists every fault with status, close code and text', async (t) => {
  const text = section(await read('docs/protocol/faults.md'), '## 2. The codes');
  const expected = Object.entries(faults).map(([code, fault]) => {
    return [code, String(fault.status), String(fault.close), fault.text];
  });
  t.same(rows(text), expected);
});

t.test('I3: limits.md lists every limit with its number', async (t) => {
  const text = section(await read('docs/protocol/limits.md'), '## 1. The numbers');
  const told = rows(text).map(([name, value]) => [name, Number(value)]);
  t.same(Object.fromEntries(told), limits);
});

t.test('I3: http.md lists every route', async (t) => {
  const text =
    section(await read('docs/protocol/http.md'), '## 4. Routes').split('\n### ')[0] ?? '';
  const expected = Object.entries(routes).map(([name, { method, path, auth }]) => {
    return [name, method, path, auth];
  });
  t.same(rows(text), expected);
});

t.test('I3: http.md names every field of every request and answer', async (t) => {
  const text = await read('docs/protocol/http.md');
  for (const [name, route] of Object.entries(routes)) {
    const own = section(text, `### ${name}`);
    t.ok(own, name);
    for (const schema of [route.request, route.answer]) {
      for (const field of fieldsOf(schema)) t.match(own, `\`${field}\``, `${name}: ${field}`);
    }
  }
});

function fieldsOf(schema: unknown): string[] {
  return v.is(v.object({ entries: v.record(v.string(), v.unknown()) }), schema)
    ? Object.keys(schema.entries)
    : [];
}

t.test('every section of a protocol document that the code points to is there', async (t) => {
  const sections = new Map<string, Set<string>>();
  for (const file of await readdir(new URL('docs/protocol/', root))) {
    const text = await read(`docs/protocol/${file}`);
    sections.set(file, new Set([...text.matchAll(/^## (\d+)\. /gm)].map(([, n]) => n ?? '')));
  }
  for (const folder of ['protocol', 'client', 'services']) {
    const files = await readdir(new URL(`${folder}/`, root), { recursive: true });
    for (const file of files.filter((name) => /\.ts$/.test(name) && !/node_modules/.test(name))) {
      const text = await read(`${folder}/${file}`);
      for (const [, name = '', n] of text.matchAll(/docs\/protocol\/([a-z-]+\.md)(?: §(\d+))?/g)) {
        const known = sections.get(name);
        if (known === undefined) t.fail(`${folder}/${file}: there is no docs/protocol/${name}`);
        else if (n !== undefined && !known.has(n))
          t.fail(`${folder}/${file}: ${name} has no §${n}`);
      }
    }
  }
});

t.test('documents of the protocol link to documents that are there', async (t) => {
  for (const file of await readdir(new URL('docs/protocol/', root))) {
    const text = await read(`docs/protocol/${file}`);
    for (const [, target = ''] of text.matchAll(/\]\(([a-z0-9./-]+\.md)/g)) {
      await t.resolves(readFile(new URL(target, new URL(`docs/protocol/${file}`, root))), target);
    }
  }
});
