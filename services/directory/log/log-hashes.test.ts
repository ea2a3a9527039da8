/** The log's hashes in their tiles, on real SQLite, against the tree as the RFC defines it. docs/protocol/transparency.md §6 */
import { join } from 'node:path';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { leafHash, verifyInclusion } from '@island/protocol/transparency/tree.ts';
import { inclusionProof, rootAt } from '@island/protocol/transparency/tree-proofs.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import t from 'tap';
import { openStore } from '../../kit/store.ts';
import { testLog } from '../../kit/testing/pki.ts';
import * as schema from '../schema.ts';
import { openLogHashes } from './log-hashes.ts';

const migrations = join(import.meta.dirname, '../migrations');
const entryOf = (index: number): Uint8Array => sha256(utf8Bytes(`entry ${index}`));

async function openHashes(dir: string) {
  const file = join(dir, 'directory.sqlite');
  const store = await openStore({ file, schema, migrations, log: testLog() });
  return { store, hashes: openLogHashes(store) };
}

t.test('K1: proofs that come out of one question are those of the tree', async (t) => {
  const { store, hashes } = await openHashes(t.testdir());
  await using _store = store;
  const sizes = [1, 7, 255, 256, 257, 511, 512, 700, 1025, 3000];
  for (let size = 0; size < 3000; ) {
    const next = sizes.find((one) => one > size) ?? 3000;
    const entries = Array.from({ length: next - size }, (_, i) => entryOf(size + i));
    const grown = await hashes.grow(size, entries);
    await store.write((_db, sql) => hashes.store(sql, grown));
    hashes.keep(grown);
    size = next;
  }
  // Another process, which has nothing in memory yet.
  const anew = openLogHashes(store);
  for (const size of sizes) {
    const root = await rootAt(size, hashes.read);
    const indices = [0, size >> 1, size - 1, (size * 7) % size, Math.max(0, size - 257)];
    for (const each of [hashes, anew]) {
      const proofs = await each.inclusions(indices, size);
      for (const [at, index] of indices.entries()) {
        const proof = proofs[at] ?? [];
        verifyInclusion({ leaf: leafHash(entryOf(index)), index, size, root, proof });
        t.same(proof, await inclusionProof(index, size, hashes.read), `${index} of ${size}`);
      }
    }
  }
});

t.test('a tile that is not there is an error and no proof', async (t) => {
  const { store, hashes } = await openHashes(t.testdir());
  await using _store = store;
  const grown = await hashes.grow(
    0,
    Array.from({ length: 600 }, (_, i) => entryOf(i)),
  );
  await store.write((_db, sql) => hashes.store(sql, grown));
  await store.write((_db, sql) => sql.run('DELETE FROM log_tiles WHERE level = 0 AND tile = 1'));
  await t.rejects(hashes.inclusions([3, 300], 600), { code: 'inclusion_invalid' });
  await t.resolves(hashes.inclusions([3, 590], 600));
});
