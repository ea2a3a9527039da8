import t from 'tap';
import { deviceId } from '../wire/ids.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { admitChain } from './chain-admission.ts';
import {
  bundleChains,
  type HistoryBundle,
  longestBundle,
  openBundle,
  readBundle,
  signBundle,
} from './history-bundle.ts';
import { encodePlaintext } from './plaintext.ts';
import { ed25519 } from './primitives.ts';
import { openPost } from './received-chain.ts';
import { channelKeyOf } from './sender-chain.ts';
import {
  ann,
  annHere,
  annsChain,
  bob,
  channel,
  log,
  mallory,
  now,
  one,
  postAll,
  space,
} from './testing/channel.ts';

const dsk = ed25519.generate();
const sharedChain = (seed: string) => {
  const { epoch, chain, iteration, chainKey, signing, prev } = channelKeyOf(annsChain(seed), log);
  return { author: ann, device: one, epoch, chain, iteration, chainKey, signing, prev };
};
const bundle: HistoryBundle = {
  space,
  channel,
  sharer: bob,
  device: one,
  recipient: mallory,
  chains: [sharedChain('a'), sharedChain('b')],
};
const bytes = signBundle(bundle, dsk);
const expected = { sharer: bob, device: one, recipient: mallory };
const malformed = { name: 'Fault', code: 'malformed' };

t.test('a newcomer reads what was posted before, and knows who passed it on', async (t) => {
  t.same(openBundle(bytes, dsk.public, expected), bundle);
  const { chains, sharer } = openBundle(bytes, dsk.public, expected);
  const [first] = chains;
  if (!first) return t.fail();
  const offer = { ...first, space, channel };
  const origin = { author: first.author, device: first.device, sharedBy: sharer };
  const { chain } = admitChain([], offer, origin);
  const { posts } = postAll(annsChain('a'), ['before']);
  const opened = openPost(chain, (posts[0] as (typeof posts)[0]).post, annHere);
  t.equal(opened.chain.sharedBy, bob);
});

t.test(
  'pitfall: forwarded keys from strangers: a bundle counts from its maker, for whom it was made',
  async (t) => {
    const other = ed25519.generate().public;
    t.throws(() => openBundle(bytes, other, expected), { code: 'bad_signature' });
    const wrong = [{ sharer: ann }, { device: deviceId(2) }, { recipient: ann }];
    for (const change of wrong)
      t.throws(() => openBundle(bytes, dsk.public, { ...expected, ...change }), malformed);
  },
);

t.test(
  'no bundle without chains, with one twice, or with more than fit into a message',
  async (t) => {
    t.throws(() => signBundle({ ...bundle, chains: [] }, dsk), malformed);
    t.throws(
      () => signBundle({ ...bundle, chains: [bundle.chains[0], bundle.chains[0]] as never }, dsk),
      malformed,
    );
    const many = Array.from({ length: bundleChains + 1 }, (_, i) => sharedChain(String(i)));
    t.throws(() => signBundle({ ...bundle, chains: many }, dsk), { code: 'too_large' });
    const full = signBundle({ ...bundle, chains: many.slice(1) }, dsk);
    t.equal(full.length, longestBundle);
    const body = { kind: 'channel-history', bundle: full } as const;
    t.doesNotThrow(() => encodePlaintext({ id: new Uint8Array(16), sentAt: now, body }));
  },
);

t.test('fuzz: the decoder of bundles throws faults only', async (t) => {
  await fuzzDecoder(t, { decode: readBundle, encode: (read) => read.bytes, samples: [bytes] });
  await fuzzDecoder(t, {
    decode: (all) => openBundle(all, dsk.public, expected),
    samples: [bytes],
    authentic: true,
  });
});
