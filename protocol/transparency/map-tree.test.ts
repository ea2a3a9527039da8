/** The map against a second implementation written from its definition, and on its memory. */
import * as fc from 'fast-check';
import t from 'tap';
import { nodeBackend } from '../crypto/backend-node.ts';
import { sodiumBackend } from '../crypto/backend-sodium.ts';
import { sha256, sha256Of } from '../crypto/primitives.ts';
import { codeOf } from '../crypto/testing/devices.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { concat } from '../wire/bytes.ts';
import { fromHex, hex } from '../wire/text.ts';
import { MapNodes } from './map-nodes.ts';
import {
  emptyMapRoot,
  encodeMapProof,
  noChild,
  readMapProof,
  verifyAbsence,
  verifyMembership,
} from './map-proof.ts';
import { createMap, type LabelMap } from './map-tree.ts';

type Entry = readonly [index: Uint8Array, value: Uint8Array];

/** The root straight from the definition: bits as text, recursion over sets. */
function plainRoot(entries: readonly Entry[]): string {
  const bits = (index: Uint8Array) =>
    [...index].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const newest = new Map(entries.map(([index, value]) => [bits(index), value]));
  const node = (label: string, value: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array(36);
    new DataView(bytes.buffer).setUint32(0, label.length);
    for (let i = 0; i < label.length; i++) {
      if (label[i] === '1') bytes[4 + (i >> 3)] = (bytes[4 + (i >> 3)] ?? 0) | (0x80 >> (i & 7));
    }
    return sha256Of(value, sha256(bytes));
  };
  const build = (below: readonly string[], root: boolean): Uint8Array => {
    const [first = '', ...more] = below;
    if (below.length === 0) return root ? emptyMapRoot : noChild;
    if (below.length === 1 && !root) return node(first, newest.get(first) ?? zeros);
    let length = 0;
    while (!root && more.every((label) => label[length] === first[length])) length++;
    const side = (bit: string) =>
      build(
        below.filter((label) => label[length] === bit),
        false,
      );
    return node(first.slice(0, length), sha256Of(side('0'), side('1')));
  };
  return hex(build([...newest.keys()], true));
}
const zeros = new Uint8Array(32);

function filled(entries: readonly Entry[]): LabelMap {
  const map = createMap();
  for (const [index, value] of entries) map.set(index, value);
  return map;
}

const value = fc.uint8Array({ minLength: 32, maxLength: 32 });
/** Random, and such as begin or end alike, so that nodes are at any depth. */
const index = fc
  .tuple(value, fc.nat({ max: 255 }), fc.constantFrom('random', 'few', 'close'))
  .map(([bytes, at, kind]) => {
    if (kind === 'random') return bytes;
    const base = new Uint8Array(32).fill(kind === 'few' ? 0 : 0xa5);
    base[at >> 3] = (base[at >> 3] ?? 0) ^ (0x80 >> (at & 7));
    return base;
  });
const entries = fc.array(fc.tuple(index, value), { maxLength: 60 });

t.test('K1: the root is that of the definition, in whatever order the entries came', async () => {
  await fc.assert(
    fc.property(entries, fc.infiniteStream(fc.nat()), (given, order) => {
      const map = filled(given);
      const newest = [...new Map(given.map((entry) => [hex(entry[0]), entry])).values()];
      const shuffled = newest
        .map((entry) => ({ entry, at: order.next().value as number }))
        .sort((a, b) => a.at - b.at)
        .map(({ entry }) => entry);
      const root = plainRoot(given);
      return (
        map.count === newest.length &&
        hex(map.root) === root &&
        hex(filled(shuffled).root) === root &&
        // One leaf each, one node less above them, and perhaps one more: the root.
        map.nodes <= Math.max(1, 2 * newest.length)
      );
    }),
    { numRuns: 150 },
  );
});

t.test('K1: every member is proved, every other absence; never the other way round', async () => {
  await fc.assert(
    fc.property(entries, fc.array(index, { maxLength: 12 }), (given, others) => {
      const map = filled(given);
      const { root } = map;
      const newest = new Map(given.map(([at, held]) => [hex(at), held]));
      for (const at of [...others, ...given.map(([each]) => each)]) {
        const held = newest.get(hex(at));
        const proof = map.prove(at);
        if (hex(encodeMapProof(readMapProof(proof))) !== hex(proof)) return false;
        if (held === undefined) {
          verifyAbsence({ root, index: at, proof });
          const member = { root, index: at, value: zeros, proof };
          if (codeOf(() => verifyMembership(member)) !== 'map_invalid') return false;
        } else {
          verifyMembership({ root, index: at, value: held, proof });
          const wrong = sha256(held);
          if (codeOf(() => verifyAbsence({ root, index: at, proof })) !== 'map_invalid')
            return false;
          const other = { root, index: at, value: wrong, proof };
          if (codeOf(() => verifyMembership(other)) !== 'map_invalid') return false;
        }
      }
      return true;
    }),
    { numRuns: 100 },
  );
});

const random = seededRandom('map-tree');
const sample: Entry[] = Array.from({ length: 300 }, () => [random(32), random(32)]);

t.test('a snapshot stays as it was; released, it gives back what only it saw', async (t) => {
  const map = filled(sample);
  const least = map.nodes;
  const held = map.snapshot();
  const [[a, was]] = sample as [Entry];
  for (const [at] of sample.slice(0, 200)) map.set(at, random(32));
  for (let i = 0; i < 100; i++) map.set(random(32), random(32));
  t.equal(held.count, 300);
  t.equal(hex(held.root), plainRoot(sample));
  verifyMembership({ root: held.root, index: a, value: was, proof: held.prove(a) });
  t.notSame(map.root, held.root);
  t.ok(map.nodes > least + 2 * 100);
  map.release(held);
  t.equal(map.nodes, least + 2 * 100);
  t.equal(
    codeOf(() => map.release(held)),
    'internal',
  );
  t.equal(
    codeOf(() => held.prove(a)),
    'internal',
    'pitfall: its nodes may be parts of another by now',
  );
});

t.test('hashes that are made ahead, a few at a time, are those of the root', async (t) => {
  const map = filled([]);
  for (const [at, value] of sample) map.set(at, value);
  let turns = 1;
  while (!map.hashSome(7)) turns += 1;
  t.ok(turns > 300 / 7, `${turns} turns`);
  t.equal(hex(map.root), plainRoot(sample));
  const [[a]] = sample as [Entry];
  map.set(a, random(32));
  t.equal(map.hashSome(1), false);
  const value = random(32);
  map.set(a, value);
  t.equal(hex(map.root), plainRoot([[a, value], ...sample.slice(1)]), 'and any root ends them');
  t.equal(map.hashSome(1), true);
});

t.test('pitfall: a turn of hashing looks at what it hashes, not at all that waits', async (t) => {
  const map = filled(sample);
  const looks = t.capture(MapNodes.prototype, 'isStale', MapNodes.prototype.isStale);
  let turns = 0;
  do turns += 1;
  while (!map.hashSome(7));
  // Of each node's children twice, and the way down once a turn.
  const most = 300 * 4 + turns * 30;
  t.ok(looks().length < most, `${most} looks`);
});

t.test('a snapshot that somebody reads stays until they are done', async (t) => {
  const map = filled(sample);
  const least = map.nodes;
  const held = map.snapshot();
  const [[a, value]] = sample as [Entry];
  {
    using _first = held.hold();
    {
      using _second = held.hold();
      map.release(held);
      for (const [at] of sample) map.set(at, random(32));
      verifyMembership({ root: held.root, index: a, value, proof: held.prove(a) });
    }
    verifyMembership({ root: held.root, index: a, value, proof: held.prove(a) });
    t.equal(
      codeOf(() => map.release(held)),
      'internal',
      'once is enough',
    );
  }
  t.equal(map.nodes, least);
  for (const ask of [() => held.prove(a), () => held.hold()]) t.equal(codeOf(ask), 'internal');
});

t.test('what is set again and again between snapshots takes no more room', async (t) => {
  const map = filled(sample);
  const least = map.nodes;
  let published = map.snapshot();
  for (let epoch = 0; epoch < 50; epoch++) {
    for (const [at] of sample.slice(epoch, epoch + 20)) map.set(at, random(32));
    const next = map.snapshot();
    map.release(published);
    published = next;
  }
  t.equal(map.nodes, least);
});

t.test('K1: snapshots, releases and reverts in any order leave every held map true', async () => {
  const act = fc.oneof(
    { weight: 6, arbitrary: fc.record({ what: fc.constant('set'), index, value }) },
    fc.record({ what: fc.constant('snapshot') }),
    fc.record({ what: fc.constant('release'), which: fc.nat() }),
    fc.record({ what: fc.constant('revert') }),
  );
  await fc.assert(
    fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
      const map = createMap();
      let now: Entry[] = [];
      const held: { snapshot: ReturnType<LabelMap['snapshot']>; was: Entry[] }[] = [];
      for (const each of acts) {
        if ('index' in each) {
          map.set(each.index, each.value);
          now = [...now, [each.index, each.value]];
        } else if (each.what === 'snapshot') {
          held.push({ snapshot: map.snapshot(), was: now });
        } else if ('which' in each) {
          const [gone] = held.splice(each.which % Math.max(1, held.length), 1);
          if (gone) map.release(gone.snapshot);
        } else {
          const newest = held.at(-1);
          if (newest) {
            map.revert(newest.snapshot);
            now = newest.was;
          }
        }
      }
      const good = held.every(({ snapshot, was }) => {
        const some = was[0];
        if (some) readMapProof(snapshot.prove(some[0]));
        return hex(snapshot.root) === plainRoot(was) && snapshotHas(snapshot, was);
      });
      if (!good || hex(map.root) !== plainRoot(now)) return false;
      for (const { snapshot } of held) map.release(snapshot);
      return map.nodes === filled(now).nodes;
    }),
    { numRuns: 150 },
  );
});

function snapshotHas(snapshot: ReturnType<LabelMap['snapshot']>, was: readonly Entry[]): boolean {
  for (const [key, held] of new Map(was.map(([at, each]) => [hex(at), each]))) {
    const proof = snapshot.prove(fromHex(key));
    verifyMembership({ root: snapshot.root, index: fromHex(key), value: held, proof });
  }
  return true;
}

t.test('only the newest snapshot can be gone back to', async (t) => {
  const map = filled(sample);
  const older = map.snapshot();
  map.snapshot();
  t.equal(
    codeOf(() => map.revert(older)),
    'internal',
  );
});

t.test('both back ends write the same hash where it is wanted, and nowhere else', async (t) => {
  for (const backend of [nodeBackend ?? sodiumBackend, sodiumBackend]) {
    const into = random(64);
    const before = Uint8Array.from(into);
    backend.sha256Into(into, into, 16);
    t.same(into, concat(before.subarray(0, 16), sha256(before), before.subarray(48)));
  }
});
