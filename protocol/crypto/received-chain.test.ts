import * as fc from 'fast-check';
import t from 'tap';
import { Fault } from '../wire/fault.ts';
import { chainLimits, messageKeyAt } from './chain-keys.ts';
import { encodeReceivedChain } from './chain-storage.ts';
import { pad } from './padding.ts';
import { decodePost, encodePost, type Post } from './post.ts';
import { ed25519, randomBytes } from './primitives.ts';
import { openPost, openRun, type PlacedPost } from './received-chain.ts';
import { annHere, annsChain, mallory, plaintextOf, postAll, readerOf } from './testing/channel.ts';

const chain = annsChain('order');
const reader = readerOf(chain);
const texts = ['one', 'two', 'three', 'four', 'five', 'six'];
const { posts } = postAll(chain, texts);
const at = (i: number): PlacedPost => posts[i] as PlacedPost;
const text = (i: number) => plaintextOf(texts[i] ?? '');
const bytes = Buffer.from(encodeReceivedChain(reader));
const untouched = () => bytes.equals(encodeReceivedChain(reader));
const codes = (results: ReturnType<typeof openRun>['results']) =>
  results.map(({ fault }) => fault?.code ?? 'opened');

/** The post, or `undefined` for bytes that are none. */
function inForm(changed: Uint8Array): Post | undefined {
  try {
    return decodePost(changed);
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

/** What somebody makes of a post who may read the channel, so has every message key, but not Ann's signing key. */
function forged(i: number, words: string, prev = at(i).post.prev): PlacedPost {
  const { post, context } = at(i);
  const keys = { messageKey: messageKeyAt(reader.keys, i), signing: ed25519.generate() };
  const head = { ...post, prev, nonce: randomBytes(16) };
  return { post: decodePost(encodePost(head, context, keys, pad(plaintextOf(words)))), context };
}

t.test(
  'M3: one ciphertext, read by whoever has the chain, in any order, newest first',
  async (t) => {
    let now = reader;
    for (const i of [5, 0, 3, 4, 1, 2]) {
      const opened = openPost(now, at(i).post, at(i).context);
      now = opened.chain;
      t.same(opened.plaintext, text(i));
    }
    const run = openRun(reader, posts);
    t.same(
      run.results.map(({ plaintext }) => plaintext),
      texts.map((_, i) => text(i)),
    );
    t.same(run.chain, now);
    const pages = openRun(openRun(reader, posts.slice(3)).chain, posts.slice(0, 3));
    t.same(pages.chain, now, 'backwards by pages');
    t.ok(untouched());
  },
);

t.test(
  'pitfall: duplicate: no post opens twice, whatever bytes come under its number',
  async (t) => {
    const { chain: after } = openPost(reader, at(2).post, annHere);
    t.throws(() => openPost(after, at(2).post, annHere), { code: 'duplicate' });
    t.throws(() => openPost(after, forged(2, 'x').post, annHere), { code: 'duplicate' });
    t.same(codes(openRun(after, posts).results)[2], 'duplicate');
    t.same(codes(openRun(reader, [at(1), at(1), at(0)]).results), [
      'opened',
      'duplicate',
      'opened',
    ]);
  },
);

t.test('pitfall: state change on failed decrypt: a refused post changes nothing', async (t) => {
  const { post } = at(0);
  const wrong: [string, PlacedPost, string][] = [
    ['another author', { post, context: { ...annHere, author: mallory } }, 'undecryptable'],
    ['another log', { post, context: { ...annHere, logHash: post.hash } }, 'undecryptable'],
    ['another chain', { post: { ...post, chain: randomBytes(16) }, context: annHere }, 'no_chain'],
    ['a forged signature', forged(0, 'x'), 'bad_signature'],
    ['damaged', { post: { ...post, commitment: post.hash }, context: annHere }, 'undecryptable'],
  ];
  for (const [why, placed, code] of wrong) {
    t.throws(() => openPost(reader, placed.post, placed.context), { code }, why);
    const run = openRun(reader, [placed, at(1)]);
    t.same(codes(run.results), [code, 'opened'], why);
    t.same(run.chain, openPost(reader, at(1).post, annHere).chain, `${why}: and stops none`);
    t.equal(openRun(reader, [placed]).chain, reader, why);
  }
  t.ok(untouched());
  const far = { post: { ...at(5).post, commitment: post.hash }, context: annHere };
  t.same(openRun(reader, [at(0), far]).chain, openPost(reader, at(0).post, annHere).chain);
});

t.test(
  'pitfall: skip flood: a number out of reach is refused before anything is computed',
  async (t) => {
    const far = { ...at(0).post, iteration: chainLimits.reach };
    t.throws(() => openPost(reader, far, annHere), { code: 'too_far_ahead' });
    t.doesNotThrow(() => openPost(reader, at(0).post, annHere));
    const run = openRun(reader, [at(0), { post: far, context: annHere }]);
    t.same(codes(run.results), ['opened', 'too_far_ahead']);
  },
);

t.test('pitfall: a member who has every message key forges nothing in a run', async (t) => {
  for (let i = 0; i < posts.length; i++) {
    const run = openRun(reader, posts.with(i, forged(i, 'never said')));
    t.equal(codes(run.results)[i], 'bad_signature', `the ${i + 1}th`);
    t.equal(run.results.filter(({ plaintext }) => plaintext).length, posts.length - 1);
  }
  // A forged run that is linked in itself: what was refused vouches for nothing.
  const third = forged(3, 'x');
  const linked = [third, forged(4, 'y', third.post.hash)];
  t.same(codes(openRun(reader, linked).results), ['bad_signature', 'bad_signature']);
  const run = openRun(reader, [...linked, at(5)]);
  t.same(codes(run.results), ['bad_signature', 'bad_signature', 'opened']);
  const behind = openRun(reader, [at(3), at(4), forged(5, 'z')]);
  t.same(codes(behind.results), ['opened', 'opened', 'bad_signature'], 'a forged newest one');
});

t.test('a post is covered only by the very next one that was accepted', async (t) => {
  // Signed with another key, but named by Ann: only its place behind her own post makes it hers.
  const keys = { messageKey: messageKeyAt(reader.keys, 0), signing: ed25519.generate() };
  const odd = decodePost(encodePost(at(0).post, annHere, keys, pad(text(0))));
  const head = { ...at(1).post, prev: odd.hash, nonce: randomBytes(16) };
  const own = { messageKey: messageKeyAt(reader.keys, 1), signing: chain.signing };
  const next = decodePost(encodePost(head, annHere, own, pad(text(1))));
  const [first, second] = [odd, next].map((post) => ({ post, context: annHere }));
  if (!first || !second) return t.fail();
  t.same(codes(openRun(reader, [first]).results), ['bad_signature']);
  t.same(codes(openRun(reader, [first, second]).results), ['opened', 'opened']);
  t.same(codes(openRun(reader, [first, at(1)]).results), ['bad_signature', 'opened']);
  const skipped = { ...second, post: { ...second.post, iteration: 2 } };
  t.same(codes(openRun(reader, [first, skipped]).results), ['bad_signature', 'undecryptable']);
});

t.test('a run takes no post of which any byte is another than what was signed', async (t) => {
  // Every byte of a run in turn, and whatever comes with it left as it was.
  let tried = 0;
  for (const [i, signed] of posts.entries()) {
    for (let place = 0; place < signed.post.bytes.length; place++) {
      const changed = Uint8Array.from(signed.post.bytes);
      changed[place] = (changed[place] ?? 0) ^ (1 + (place % 255));
      const post = inForm(changed);
      if (post === undefined) continue;
      const broken = { post, context: annHere };
      tried++;
      const run = posts.with(i, broken);
      for (const { plaintext } of [openRun(reader, run).results[i]].flatMap((r) => r ?? [])) {
        if (plaintext) t.fail(`post ${i}, byte ${place}`);
      }
    }
  }
  t.ok(tried > 2000, `${tried} changes`);
});

t.test(
  'a run is read as its posts are one by one: damage, loss, order, repetition, forgery',
  async () => {
    const many = postAll(chain, Array.from({ length: 40 }, String)).posts;
    const act = fc.record({
      at: fc.nat(many.length - 1),
      what: fc.constantFrom('lose', 'repeat', 'swap', 'damage', 'author', 'forge'),
      place: fc.nat(400),
    });
    await fc.assert(
      fc.property(
        fc.array(act, { maxLength: 8 }),
        fc.array(fc.nat(39), { maxLength: 5 }),
        (acts, readBefore) => {
          let run: PlacedPost[] = many.slice();
          for (const { at: where, what, place } of acts) {
            const i = where % run.length;
            const here = run[i] as PlacedPost;
            if (what === 'lose' && run.length > 1) run = run.toSpliced(i, 1);
            else if (what === 'repeat') run = run.toSpliced(i, 0, here);
            else if (what === 'swap') run = run.with(i, run[0] as PlacedPost).with(0, here);
            else if (what === 'author')
              run = run.with(i, { ...here, context: { ...annHere, author: mallory } });
            else if (what === 'forge') {
              const keys = {
                messageKey: messageKeyAt(reader.keys, here.post.iteration),
                signing: ed25519.generate(),
              };
              const post = decodePost(encodePost(here.post, annHere, keys, pad(text(0))));
              run = run.with(i, { ...here, post });
            } else if (what === 'damage') {
              const changed = Uint8Array.from(here.post.bytes);
              changed[94 + (place % 300)] = (changed[94 + (place % 300)] ?? 0) ^ 1;
              const post = inForm(changed);
              if (post) run = run.with(i, { ...here, post });
            }
          }
          let before = reader;
          for (const i of new Set(readBefore))
            before = openPost(before, (many[i] as PlacedPost).post, annHere).chain;
          let one = before;
          const single = run.map(({ post, context }) => {
            try {
              const opened = openPost(one, post, context);
              one = opened.chain;
              return 'opened';
            } catch (error) {
              return (error as { code: string }).code;
            }
          });
          const together = openRun(before, run);
          return (
            codes(together.results).join() === single.join() &&
            Buffer.from(encodeReceivedChain(one)).equals(encodeReceivedChain(together.chain))
          );
        },
      ),
      { numRuns: 60 },
    );
  },
);
