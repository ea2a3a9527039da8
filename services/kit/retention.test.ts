/** The days that are published are those that the documents tell. */
import { readFile } from 'node:fs/promises';
import t from 'tap';
import { retentionDays } from './retention.ts';

t.test('I5: limits.md lists how long what is kept', async (t) => {
  const text = await readFile(new URL('../../docs/protocol/limits.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split('\n## 4. Days\n');
  const told = [...section.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, name, days]) => [
    name,
    Number(days),
  ]);
  t.same(Object.fromEntries(told), retentionDays);
});
