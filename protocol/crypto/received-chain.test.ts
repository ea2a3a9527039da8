import t from 'tap';
import { openPost, openRun } from './received-chain.ts';
import { annsChain, plaintextOf, postAll, readerOf } from './testing/channel.ts';

t.test('M3: one ciphertext, read by whoever has the chain, in any order', async (t) => {
  const chain = annsChain('order');
  const reader = readerOf(chain);
  const { posts } = postAll(chain, ['one', 'two', 'three']);
  let at = reader;
  for (const i of [2, 0, 1]) {
    const { post, context } = posts[i] as (typeof posts)[0];
    const opened = openPost(at, post, context);
    at = opened.chain;
    t.same(opened.plaintext, plaintextOf(['one', 'two', 'three'][i] ?? ''));
  }
  const run = openRun(reader, posts);
  t.same(
    run.results.map(({ plaintext }) => plaintext),
    ['one', 'two', 'three'].map(plaintextOf),
  );
  t.same(run.chain, at);
});
