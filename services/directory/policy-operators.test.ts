/** Operators as a policy counts them, by the names of their keys. docs/protocol/transparency.md §2.5 */
import { formatVkey, keyTypes, makeVkey } from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import t from 'tap';
import { countsTwice } from './policy-operators.ts';

const key = (name: string, n: number) =>
  formatVkey(makeVkey(name, keyTypes.cosignature, new Uint8Array(32).fill(n)));
const twice = (...groups: string[]) =>
  countsTwice(
    parsePolicy(
      [
        `witness a1 ${key('operator/a', 1)}`,
        `witness a2 ${key('operator/a', 2)}`,
        `witness b ${key('operator/b', 3)}`,
        `witness c ${key('operator/c', 4)}`,
        ...groups,
        `quorum ${groups.length === 0 ? 'none' : 'top'}`,
        '',
      ].join('\n'),
    ),
  );

t.test('K1: two keys of one operator are one opinion', async (t) => {
  for (const groups of [
    [],
    ['group top any a1 a2'],
    ['group top 2 a1 b c'],
    ['group a any a1 a2', 'group top 2 a b c'],
    ['group x all a1 b', 'group y all a2 c', 'group top any x y'],
  ])
    t.notOk(twice(...groups), groups.join('; '));
  for (const groups of [
    ['group top all a1 a2'],
    ['group top 2 a1 a2 b c'],
    ['group x any a1 b', 'group y any a2 c', 'group top all x y'],
    ['group a all a1 a2', 'group top any a b'],
    ['group a any a1 b', 'group top 2 a a2 c'],
  ])
    t.ok(twice(...groups), groups.join('; '));
});
