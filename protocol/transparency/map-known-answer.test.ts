/** The known answer of another implementation of the trie. */
import { blake3 } from '@noble/hashes/blake3.js';
import t from 'tap';
import { hex } from '../wire/text.ts';
import { createMap } from './map-tree.ts';

t.test('K1: the known answer of torchwood: with BLAKE3 it is the trie of akd', async (t) => {
  const stream = blake3.create({});
  const sink = blake3.create({});
  const hashInto = (bytes: Uint8Array, into: Uint8Array, at: number) => into.set(blake3(bytes), at);
  // 100 maps of 1,000 random entries, the root after each entry: TestAccumulated of filippo.io/torchwood/mpt.
  for (let trie = 0; trie < 100; trie++) {
    const map = createMap(hashInto);
    sink.update(map.root);
    for (let n = 0; n < 1000; n++) {
      const at = stream.xof(32);
      map.set(at, stream.xof(32));
      sink.update(map.root);
    }
  }
  t.equal(hex(sink.digest()), 'dfa5cc5758518f612c53d3434688996895373f29e2df61b7f7c26f0e25b095eb');
});
