/** Inclusion and consistency: published vectors, every small tree, and every way to bend a proof. */
import * as fc from 'fast-check';
import t from 'tap';
import { hex } from '../wire/text.ts';
import { type MerkleCase, merkleVectors } from './testing/merkle-vectors.ts';
import { sampleLog } from './testing/sample-log.ts';
import { TransparencyFault } from './transparency-fault.ts';
import { emptyRoot, leafHash, verifyConsistency, verifyInclusion } from './tree.ts';
import { consistencyProof, inclusionProof, rootAt, subtreesOf } from './tree-proofs.ts';

function verdict(work: () => void): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    if (error instanceof TransparencyFault) return error.code;
    throw error;
  }
}

function published(kind: 'inclusion' | 'consistency', run: (one: MerkleCase) => void): void {
  t.test(`K1: ${kind}: every published case of transparency-dev ends as it says`, async (t) => {
    const cases = merkleVectors(kind);
    if (cases === undefined) {
      t.comment('the Merkle vectors are not beside the repository; skipped');
      return;
    }
    t.equal(cases.length, 98);
    const wrong = cases.filter((one) => {
      // Its equal roots are 12 bytes of text, no hashes: here they are refused.
      if (one.name === 'additional/sizes-are-equal-one-and-proof-is-empty.json') return false;
      return (verdict(() => run(one)) !== 'accepted') !== one.refused;
    });
    t.same(
      wrong.map(({ name }) => name),
      [],
    );
  });
}

published('inclusion', (one) =>
  verifyInclusion({
    leaf: one.hash('leafHash'),
    index: one.number('leafIdx'),
    size: one.number('treeSize'),
    proof: one.proof,
    root: one.hash('root'),
  }),
);

published('consistency', (one) =>
  verifyConsistency({
    oldSize: one.number('size1'),
    oldRoot: one.hash('root1'),
    newSize: one.number('size2'),
    newRoot: one.hash('root2'),
    proof: one.proof,
  }),
);

t.test('the hashes of RFC 6962 §2.1: the empty tree, a leaf without bytes', async (t) => {
  t.equal(hex(emptyRoot), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  t.equal(
    hex(leafHash(new Uint8Array(0))),
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  );
});

const most = 70;
const log = sampleLog(most);

t.test(
  'every tree up to 70: the root is that of the definition, every leaf is in it',
  async (t) => {
    for (let size = 0; size <= most; size++) {
      const root = log.root(size);
      if (hex(await rootAt(size, log.read)) !== hex(root)) t.fail(`root of ${size}`);
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(index, size, log.read);
        const leaf = log.leaves[index] ?? emptyRoot;
        verifyInclusion({ leaf, index, size, proof, root });
      }
    }
    t.pass('no proof was refused');
  },
);

t.test('every two trees up to 70: the older is the beginning of the newer', async (t) => {
  for (let newSize = 1; newSize <= most; newSize++) {
    for (let oldSize = 1; oldSize <= newSize; oldSize++) {
      const proof = await consistencyProof(oldSize, newSize, log.read);
      const [oldRoot, newRoot] = [log.root(oldSize), log.root(newSize)];
      verifyConsistency({ oldSize, oldRoot, newSize, newRoot, proof });
    }
  }
  t.pass('no proof was refused');
});

const altered = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ 1;
  return copy;
};

t.test('K1: a bit of a proof, a leaf or a root that differs is refused', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: most }),
      fc.nat(),
      fc.nat(),
      fc.nat(),
      async (size, i, where, at) => {
        const index = i % size;
        const proof = await inclusionProof(index, size, log.read);
        const leaf = log.leaves[index] ?? emptyRoot;
        const good = { leaf, index, size, proof, root: log.root(size) };
        const n = where % (proof.length + 2);
        const bad =
          n === proof.length
            ? { ...good, leaf: altered(leaf, at) }
            : n > proof.length
              ? { ...good, root: altered(good.root, at) }
              : { ...good, proof: proof.map((hash, k) => (k === n ? altered(hash, at) : hash)) };
        return verdict(() => verifyInclusion(bad)) === 'inclusion_invalid';
      },
    ),
    { numRuns: 500 },
  );
});

t.test('K1: an inclusion proof shows one index of one size, and is of one length', async (t) => {
  for (const [index, size] of [
    [0, 1],
    [5, 7],
    [36, 70],
    [69, 70],
  ] as const) {
    const proof = await inclusionProof(index, size, log.read);
    const good = { leaf: log.leaves[index] ?? emptyRoot, index, size, proof, root: log.root(size) };
    verifyInclusion(good);
    const spare = new Uint8Array(32);
    const bad = [
      { ...good, index: index + 1 },
      { ...good, index: -1 },
      { ...good, index: index + 0.5 },
      { ...good, index: index + 2 ** 32 },
      { ...good, index: Number.NaN },
      { ...good, size: 0 },
      { ...good, size: 2 ** 53 },
      { ...good, proof: [...proof, spare] },
      { ...good, proof: proof.slice(1), size: proof.length === 0 ? 2 : size },
      { ...good, proof: [...proof, new Uint8Array(0)] },
      { ...good, proof: Array.from({ length: 100_000 }, () => spare) },
      { ...good, root: good.root.subarray(1) },
      { ...good, leaf: good.leaf.subarray(1) },
    ];
    for (const one of bad) t.throws(() => verifyInclusion(one), { code: 'inclusion_invalid' });
  }
});

t.test('K1: a tree is not shown under a smaller size', async (t) => {
  const [first = emptyRoot, second = emptyRoot] = log.leaves;
  const root = log.root(2);
  const shown = { leaf: second, index: 0, size: 1, proof: [first], root };
  t.throws(() => verifyInclusion(shown), { code: 'inclusion_invalid' });
  for (const [oldSize, newSize] of [
    [2, 1],
    [4, 2],
    [8, 1],
  ] as const) {
    const same = { oldSize, oldRoot: root, newSize, newRoot: root, proof: [] };
    t.throws(() => verifyConsistency(same), { code: 'consistency_invalid' });
  }
});

t.test('K1: pitfall: a fork: a log that was rewritten has no proof that it goes on', async (t) => {
  const other = sampleLog(most, 'another');
  for (const [oldSize, newSize] of [
    [1, 2],
    [32, 64],
    [33, 70],
    [69, 70],
    [70, 70],
  ] as const) {
    const proof = await consistencyProof(oldSize, newSize, log.read);
    const [oldRoot, newRoot] = [log.root(oldSize), log.root(newSize)];
    const good = { oldSize, oldRoot, newSize, newRoot, proof };
    verifyConsistency(good);
    const forged = await consistencyProof(oldSize, newSize, other.read);
    const bad = [
      { ...good, newRoot: other.root(newSize) },
      { ...good, newRoot: other.root(newSize), proof: forged },
      { ...good, oldRoot: other.root(oldSize), proof: oldSize === newSize ? proof : forged },
      {
        ...good,
        oldSize: newSize,
        newSize: oldSize,
        oldRoot: newRoot,
        newRoot: altered(oldRoot, 0),
      },
      { ...good, oldSize: 0, oldRoot: emptyRoot },
      // One more would do where the shape of the proof stays: the checkpoint binds a root to its size.
      { ...good, newSize: newSize * 2 },
      { ...good, proof: [...proof, new Uint8Array(32)] },
      { ...good, proof: Array.from({ length: 64 }, () => newRoot) },
      ...proof.map((_, i) => ({ ...good, proof: proof.filter((_hash, k) => k !== i) })),
      ...proof.map((_, i) => ({
        ...good,
        proof: proof.map((hash, k) => (k === i ? altered(hash, 31) : hash)),
      })),
    ];
    for (const one of bad) t.throws(() => verifyConsistency(one), { code: 'consistency_invalid' });
  }
});

t.test('sizes above 2^32 are counted as they are', async (t) => {
  const size = 2 ** 52 + 3;
  const made = (level: number, index: number) =>
    leafHash(new TextEncoder().encode(`${level} ${index}`));
  const read = async (level: number, index: number) => made(level, index);
  t.same(subtreesOf(0, size), [
    { level: 52, index: 0 },
    { level: 1, index: 2 ** 51 },
    { level: 0, index: 2 ** 52 + 2 },
  ]);
  const root = await rootAt(size, read);
  const index = size - 1;
  const last = await inclusionProof(index, size, read);
  verifyInclusion({ leaf: made(0, index), index, size, proof: last, root });
  t.equal((await inclusionProof(0, size, read)).length, 53);
  const oldSize = 2 ** 52 + 2;
  const proof = await consistencyProof(oldSize, size, read);
  const oldRoot = await rootAt(oldSize, read);
  verifyConsistency({ oldSize, oldRoot, newSize: size, newRoot: root, proof });
});

t.test('a proof that there cannot be is not made', async (t) => {
  await t.rejects(inclusionProof(3, 3, log.read), { code: 'malformed' });
  await t.rejects(consistencyProof(4, 3, log.read), { code: 'malformed' });
  await t.rejects(rootAt(0.5, log.read), { code: 'malformed' });
  t.same(await consistencyProof(0, 9, log.read), [], 'from nothing no proof is needed');
  t.same(await consistencyProof(9, 9, log.read), []);
});
