import { readFileSync } from 'node:fs';
import t from 'tap';
import { transparencyFaults } from './transparency-fault.ts';

t.test('docs/protocol/transparency.md §1 lists every fault with its text', async (t) => {
  const page = new URL('../../docs/protocol/transparency.md', import.meta.url);
  const rows = readFileSync(page, 'utf8').matchAll(/^\| `([a-z_]+)` \| (.+) \|$/gm);
  const listed = Object.fromEntries([...rows].map(([, code, text]) => [code, text]));
  for (const [code, text] of Object.entries(transparencyFaults)) {
    t.equal(listed[code], text, code);
  }
});
