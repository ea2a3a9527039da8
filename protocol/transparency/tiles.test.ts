/** Tiles: the paths of c2sp.org/tlog-tiles, readers over logs of many sizes, and tiles that lie. */
import * as fc from 'fast-check';
import t from 'tap';
import { Fault } from '../wire/fault.ts';
import { sampleLog } from './testing/sample-log.ts';
import {
  decodeEntries,
  encodeEntries,
  existsIn,
  type FetchTile,
  parseTilePath,
  readerFromTiles,
  type Tile,
  tileHashes,
  tilePath,
  tileReader,
  widthIn,
} from './tiles.ts';
import { leafHash, verifyConsistency, verifyInclusion } from './tree.ts';
import { consistencyProof, inclusionProof, rootAt } from './tree-proofs.ts';

t.test('paths are those of c2sp.org/tlog-tiles', async (t) => {
  const paths: [string, Tile][] = [
    ['tile/0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
    ['tile/0/000', { level: 0, index: 0, width: 256 }],
    ['tile/1/001.p/17', { level: 1, index: 1, width: 17 }],
    ['tile/63/999.p/1', { level: 63, index: 999, width: 1 }],
    ['tile/entries/x273/000.p/112', { level: 'entries', index: 273_000, width: 112 }],
    [
      'tile/2/x009/x007/x199/x254/x740/991',
      { level: 2, index: Number.MAX_SAFE_INTEGER, width: 256 },
    ],
  ];
  for (const [path, tile] of paths) {
    t.equal(tilePath(tile), path);
    t.same(parseTilePath(path), tile);
  }
  for (const bad of [
    '',
    'tile/0',
    'tile/0/',
    'tile/0/0',
    'tile/0/00',
    'tile/0/0000',
    'tile/0/x000/001',
    'tile/0/001/234',
    'tile/0/x001',
    'tile/00/001',
    'tile/64/001',
    'tile/-1/001',
    'tile/data/001',
    'tile/0/001.p/0',
    'tile/0/001.p/01',
    'tile/0/001.p/256',
    'tile/0/001.p/',
    'tile/0/001.p/1/',
    'tile/0/001\n',
    '/tile/0/001',
    'tile/0/x009/x007/x199/x254/x740/992',
    'tile/0/x001/x001/x001/x001/x001/x001/001',
    'tile/0/%30%30%31',
    'tile/0/../001',
  ]) {
    t.throws(() => parseTilePath(bad), { code: 'malformed' }, JSON.stringify(bad));
  }
  for (const tile of [{ level: -1 }, { level: 64 }, { index: -1 }, { width: 0 }, { width: 257 }]) {
    t.throws(() => tilePath({ level: 0, index: 0, width: 256, ...tile }), { code: 'malformed' });
  }
});

t.test('a log of 70,000 has the tiles that c2sp.org/tlog-tiles counts', async (t) => {
  t.equal(widthIn(70_000, 0, 272), 256);
  t.equal(widthIn(70_000, 0, 273), 112);
  t.equal(widthIn(70_000, 0, 274), 0);
  t.equal(widthIn(70_000, 1, 0), 256);
  t.equal(widthIn(70_000, 1, 1), 17);
  t.equal(widthIn(70_000, 2, 0), 1);
  t.equal(widthIn(70_000, 3, 0), 0);
  t.equal(widthIn(70_000, 'entries', 273), 112);
  t.equal(widthIn(256, 0, 0), 256);
  t.equal(widthIn(256, 1, 0), 1);
  t.equal(widthIn(0, 0, 0), 0);
  t.ok(existsIn(70_000, { level: 1, index: 1, width: 3 }), 'it was there on the way');
  t.notOk(existsIn(70_000, { level: 1, index: 1, width: 18 }));
  t.notOk(existsIn(70_000, { level: 0, index: 273, width: 256 }));
});

const most = 66_500;
const log = sampleLog(most);
const sizes = [1, 2, 7, 255, 256, 257, 511, 512, 4097, 65_535, 65_536, 65_537, 66_500];

t.test('roots and proofs come out of tiles as out of the log itself', async (t) => {
  for (const size of sizes) {
    const root = log.root(size);
    const read = tileReader({ size, root }, log.tile(size));
    const plain = readerFromTiles(size, log.tile(size));
    t.same(await rootAt(size, read), root, `root of ${size}`);
    t.same(await rootAt(size, plain), root);
    for (const index of new Set([0, Math.floor(size / 2), size - 1])) {
      const proof = await inclusionProof(index, size, read);
      verifyInclusion({ leaf: leafHash(log.entries[index] ?? root), index, size, proof, root });
    }
    for (const oldSize of sizes.filter((old) => old <= size)) {
      const proof = await consistencyProof(oldSize, size, read);
      const oldRoot = log.root(oldSize);
      verifyConsistency({ oldSize, oldRoot, newSize: size, newRoot: root, proof });
      t.same(await rootAt(oldSize, read), oldRoot, 'the older root without a proof');
    }
  }
});

t.test('full tiles stand for partial ones that are gone', async (t) => {
  const size = 300;
  const root = log.root(size);
  const wide: FetchTile = (path, tile) =>
    log.tile(most)(path, tile.level === 0 ? { ...tile, width: 256 } : tile);
  t.same(await rootAt(size, tileReader({ size, root }, wide)), root);
});

t.test('K1: no hash of a tile counts that does not lead to the root', async (t) => {
  for (const size of [300, 65_537, 66_500]) {
    const root = log.root(size);
    const asked = new Map<string, Tile>();
    const honest = log.tile(size);
    const noting: FetchTile = (path, tile) => {
      asked.set(path, tile);
      return honest(path, tile);
    };
    await inclusionProof(1, size, tileReader({ size, root }, noting));
    for (const [path] of asked) {
      for (const at of [0, 1000, -1]) {
        const lying: FetchTile = async (asking, tile) => {
          const bytes = Uint8Array.from(await honest(asking, tile));
          const place = at < 0 ? bytes.length - 1 : at % bytes.length;
          if (asking === path) bytes[place] = (bytes[place] ?? 0) ^ 1;
          return bytes;
        };
        const read = tileReader({ size, root }, lying);
        await t.rejects(inclusionProof(1, size, read), { code: 'inclusion_invalid' }, path);
      }
    }
    const other = sampleLog(300, 'another');
    const forked = tileReader({ size, root }, other.tile(300));
    if (size === 300) await t.rejects(rootAt(5, forked), { code: 'inclusion_invalid' });
  }
});

t.test('K1: nor one that came the second time, of a log of more tiles than are kept', async (t) => {
  const size = 66_500;
  const root = log.root(size);
  const honest = log.tile(size);
  const asked = new Set<string>();
  /** Whoever asks for a tile again is given another one. */
  const changing: FetchTile = async (path, tile) => {
    const bytes = Uint8Array.from(await honest(path, tile));
    if (asked.has(path)) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    asked.add(path);
    return bytes;
  };
  const read = tileReader({ size, root }, changing);
  const last = size - 1;
  t.same(await read(0, last), log.leaves[last]);
  for (let tile = 0; tile < 40; tile++)
    t.same(await read(0, tile * 256 + 255), log.leaves[tile * 256 + 255]);
  t.same(await read(0, last), log.leaves[last], 'the tile at the edge');
  for (let tile = 0; tile < 40; tile++) {
    const index = tile * 256 + 255;
    const given = await read(0, index).catch(({ code }) => code);
    if (given !== 'inclusion_invalid') t.same(given, log.leaves[index], `tile ${tile}`);
  }
});

t.test('a tile of another length is refused, and asked for anew the next time', async (t) => {
  const size = 300;
  const root = log.root(size);
  let cut = true;
  const read = tileReader({ size, root }, async (path, tile) => {
    const bytes = await log.tile(size)(path, tile);
    return cut ? bytes.subarray(1) : bytes;
  });
  await t.rejects(rootAt(size, read), { code: 'malformed' });
  cut = false;
  t.same(await rootAt(size, read), root, 'a failure is not kept');
  let away = true;
  const patchy = tileReader({ size, root }, async (path, tile) => {
    if (away && tile.level === 1) throw new Error('no connection');
    return log.tile(size)(path, tile);
  });
  await t.rejects(patchy(0, 257), { message: 'no connection' });
  away = false;
  t.same(await rootAt(size, patchy), root, 'nor one of the edge');
  for (const length of [0, 31, 33, 64, 8193]) {
    t.throws(() => tileHashes(new Uint8Array(length), 1), { code: 'malformed' }, `${length}`);
  }
  await t.rejects(read(0, size), { code: 'malformed' }, 'behind the end');
  await t.rejects(read(8, 1), { code: 'malformed' }, 'a subtree that is not complete');
  await t.rejects(read(-1, 0), { code: 'malformed' });
});

t.test('each tile is fetched once for a proof', async (t) => {
  const size = 66_500;
  const paths: string[] = [];
  const read = tileReader({ size, root: log.root(size) }, (path, tile) => {
    paths.push(path);
    return log.tile(size)(path, tile);
  });
  await inclusionProof(1, size, read);
  await inclusionProof(2, size, read);
  t.same(paths.toSorted(), [...new Set(paths)].toSorted());
  t.ok(paths.length <= 6, `${paths.length} tiles`);
});

t.test('entries of a bundle come back as they were; anything else is refused', async (t) => {
  const entries = log.entries.slice(0, 256);
  const bundle = encodeEntries(entries);
  t.same(decodeEntries(bundle, 256), entries);
  t.same(decodeEntries(bundle, 3), entries.slice(0, 3), 'a full one stands for a partial one');
  const three = encodeEntries([...entries.slice(0, 2), new Uint8Array(0)]);
  t.same(decodeEntries(three, 3), [...entries.slice(0, 2), new Uint8Array(0)]);
  t.throws(() => decodeEntries(three, 2), { code: 'trailing_bytes' });
  t.throws(() => decodeEntries(three, 4), { code: 'truncated' });
  t.throws(() => decodeEntries(three.subarray(0, -1), 3), { code: 'truncated' });
  const longer = Uint8Array.of(...bundle, 0, 0);
  t.throws(() => decodeEntries(longer, 256), { code: 'trailing_bytes' }, 'a 257th entry');
  t.throws(() => encodeEntries([]), { code: 'malformed' });
  t.throws(() => encodeEntries([...entries, new Uint8Array(1)]), { code: 'malformed' });
  t.throws(() => encodeEntries([new Uint8Array(65_536)]), { code: 'too_large' });
  await fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.integer({ min: 1, max: 256 }), (bytes, n) => {
      try {
        return decodeEntries(bytes, n).length === n;
      } catch (error) {
        return error instanceof Fault;
      }
    }),
  );
});
