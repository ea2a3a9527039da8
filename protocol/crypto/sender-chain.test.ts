import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { admitChain } from './chain-admission.ts';
import { chainLimits } from './chain-keys.ts';
import { decodePost } from './post.ts';
import { openPost } from './received-chain.ts';
import { chainOver, channelKeyFrom, channelKeyOf, makeChain, sealPost } from './sender-chain.ts';
import {
  annHere,
  annsChain,
  channel,
  from,
  log,
  now,
  plaintextOf,
  postAll,
  readerOf,
  space,
} from './testing/channel.ts';

const author = { ...annHere, ...log };
const text = plaintextOf('ja');

t.test('M3: a chain is over with its key epoch, after 1000 posts, after 7 days', async (t) => {
  const chain = annsChain('over');
  const days = (count: number) => now + count * 86_400_000;
  t.equal(chainOver(chain, 5, now), undefined);
  t.equal(chainOver(chain, 5, days(7) - 1000), undefined);
  t.equal(chainOver(chain, 5, days(7)), 'age');
  t.equal(chainOver(chain, 5, now - 1000), 'age', 'a clock that was set back');
  t.equal(chainOver(chain, 6, now), 'epoch');
  t.equal(chainOver(chain, 4, now), 'epoch', 'whatever way it went');
  const last = { ...chain, keys: { ...chain.keys, next: chainLimits.posts - 1 } };
  t.equal(chainOver(last, 5, now), undefined);
  const { chain: full } = sealPost(last, author, text);
  t.equal(chainOver(full, 5, now), 'posts');
  t.throws(() => sealPost(full, author, text), { name: 'CryptoFault', code: 'chain_ended' });
});

t.test('sealing leaves the chain as it was, and a text too long leaves it, too', async (t) => {
  const chain = annsChain('as it was');
  const before = structuredClone(chain.keys);
  t.throws(() => sealPost(chain, author, new Uint8Array(8192)), { code: 'too_large' });
  sealPost(chain, author, text);
  t.same(chain.keys, before);
});

t.test('pitfall: counter reuse after restore: a copied store never uses a key twice', async (t) => {
  const stored = postAll(annsChain('restored'), ['before']).chain;
  const [one, two] = [sealPost(stored, author, text), sealPost(stored, author, text)];
  const [first, second] = [decodePost(one.post), decodePost(two.post)];
  t.equal(first.iteration, second.iteration);
  t.notSame(first.nonce, second.nonce);
  t.notSame(first.commitment, second.commitment, 'the commitment is made with the key');
  t.notSame(first.ciphertext, second.ciphertext);
  const reader = readerOf(stored);
  const { chain } = openPost(reader, first, annHere);
  t.throws(() => openPost(chain, second, annHere), { code: 'duplicate' });
});

t.test('pitfall: a received chain key gives nothing before its iteration', async (t) => {
  const { chain, posts } = postAll(annsChain('joined'), ['before', 'after']);
  const joined = admitChain([], channelKeyFrom(chain, 1, posts[0]?.post.hash ?? text, log), from);
  const [before, after] = posts.map(({ post }) => post);
  if (!before || !after) return t.fail();
  t.throws(() => openPost(joined.chain, before, annHere), { code: 'before_chain' });
  t.same(joined.chain.prev, before.hash);
  t.ok(openPost(joined.chain, after, annHere));
  const next = channelKeyOf(chain, log);
  t.match(next, { iteration: 2, prev: after.hash });
  t.throws(() => channelKeyFrom(chain, 3, text, log), { code: 'chain_ended' }, 'not from later on');
});

t.test('two chains have nothing in common', async (t) => {
  const home = { space, channel, epoch: 5 };
  const [one, two] = [makeChain(home, now), makeChain(home, now)];
  t.notSame(one.id, two.id);
  t.notSame(one.keys.key, two.keys.key);
  t.notSame(one.signing.public, two.signing.public);
  t.same(makeChain(home, now, seededRandom('x')).id, makeChain(home, now, seededRandom('x')).id);
});
