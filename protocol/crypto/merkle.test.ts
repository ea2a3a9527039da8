import * as fc from 'fast-check';
import t from 'tap';
import {
  leafHash,
  merkleLeaves,
  merklePath,
  merkleRoot,
  merkleTree,
  rootOfPath,
} from './merkle.ts';
import { sha256Of } from './primitives.ts';

const leaf = (i: number): Uint8Array => leafHash(Uint8Array.of(i));

t.test('every leaf is proved by its path, at its own place only', async () => {
  await fc.assert(
    fc.property(fc.integer({ min: 1, max: merkleLeaves }), fc.nat(127), (count, at) => {
      const leaves = Array.from({ length: count }, (_, i) => leaf(i));
      const tree = merkleTree(leaves);
      const index = at % count;
      const path = merklePath(tree, index);
      const proved = leaf(index);
      if (Buffer.compare(rootOfPath(proved, index, path), merkleRoot(tree)) !== 0) return false;
      const elsewhere = rootOfPath(proved, index ^ 1, path);
      return Buffer.compare(elsewhere, merkleRoot(tree)) !== 0;
    }),
    { numRuns: 60 },
  );
});

t.test('the root agrees with the definition written as recursion', async (t) => {
  const root = (leaves: Uint8Array[]): Uint8Array => {
    const [only] = leaves;
    if (leaves.length === 1 && only !== undefined) return only;
    const half = leaves.length / 2;
    return sha256Of(Uint8Array.of(1), root(leaves.slice(0, half)), root(leaves.slice(half)));
  };
  for (const count of [1, 2, 100, 127, 128]) {
    const leaves = Array.from({ length: count }, (_, i) => leaf(i));
    const filled = [...leaves, ...Array(128 - count).fill(new Uint8Array(32))];
    t.same(merkleRoot(merkleTree(leaves)), root(filled), `${count} leaves`);
  }
});

t.test('none and more than 128 leaves, and a path of another length, are refused', async (t) => {
  const malformed = { name: 'Fault', code: 'malformed' };
  t.throws(() => merkleTree([]), malformed);
  t.throws(() => merkleTree(Array(129).fill(leaf(0))), malformed);
  for (const length of [0, 223, 225]) {
    t.throws(() => rootOfPath(leaf(0), 0, new Uint8Array(length)), malformed);
  }
});

t.test('a leaf can’t stand for a parent', async (t) => {
  const pair = [leaf(0), leaf(1)];
  const joined = Uint8Array.from([...(pair[0] ?? []), ...(pair[1] ?? [])]);
  t.notSame(leafHash(joined), sha256Of(Uint8Array.of(1), joined));
});
