import t from 'tap';
import { deviceId } from '../wire/ids.ts';
import { admitChain } from './chain-admission.ts';
import { chainKeyAt, chainLimits, messageKeyAt } from './chain-keys.ts';
import { openPost, openRun, wasRead } from './received-chain.ts';
import { channelKeyFrom, channelKeyOf } from './sender-chain.ts';
import { ann, annsChain, bob, from, log, mallory, one, postAll } from './testing/channel.ts';

const chain = annsChain('admission');
const zeros = new Uint8Array(32);
const { chain: later, posts } = postAll(chain, ['one', 'two', 'three', 'four']);
const offer = channelKeyOf(chain, log);
const known = admitChain([], offer, from).chain;
const taken = { name: 'CryptoFault', code: 'chain_taken' };

t.test('the same keys again change nothing', async (t) => {
  t.same(admitChain([known], offer, from), { chain: known });
  t.same(admitChain([known], channelKeyOf(later, log), from), { chain: known });
});

t.test('pitfall: chain-id collision: the first under an id wins', async (t) => {
  const other = annsChain('somebody else');
  const same = { ...channelKeyOf(other, log), chain: chain.id };
  const attempts = [
    ['the same sender with another key', same, from],
    ['another chain key alone', { ...offer, chainKey: same.chainKey }, from],
    ['another signing key alone', { ...offer, signing: same.signing }, from],
    ['another epoch', { ...offer, epoch: offer.epoch + 1 }, from],
    ['another channel', { ...offer, channel: same.channel.replace('c', 'd') as never }, from],
    ['somebody who shares other keys', same, { ...from, sharedBy: mallory }],
  ] as const;
  for (const [why, second, by] of attempts) {
    t.throws(() => admitChain([known], second, by), taken, why);
  }
});

t.test(
  'pitfall: chain-id collision: an id that somebody else gave first is in nobody’s way',
  async (t) => {
    const same = { ...channelKeyOf(annsChain('somebody else'), log), chain: chain.id };
    const others = [
      [same, { author: mallory, device: one }],
      [offer, { author: mallory, device: one }],
      [same, { author: ann, device: deviceId(2) }],
    ] as const;
    for (const [first, by] of others) {
      const squatter = admitChain([], first, by).chain;
      const { chain: hers, drop } = admitChain([squatter], offer, from);
      t.same(hers, known);
      t.equal(drop, undefined, 'and takes nothing away');
      t.throws(() => openPost(squatter, (posts[0] as (typeof posts)[0]).post, from1()));
    }
  },
);

t.test(
  'pitfall: forwarded keys from strangers: what a device gives itself replaces what others said of it',
  async (t) => {
    const false_ = { ...channelKeyOf(annsChain('not hers'), log), chain: chain.id };
    const shared = admitChain([], false_, { ...from, sharedBy: mallory }).chain;
    t.equal(shared.sharedBy, mallory, 'it is known whose word it is');
    t.same(admitChain([shared], offer, from).chain, known);
    t.throws(
      () => admitChain([shared], offer, { ...from, sharedBy: bob }),
      taken,
      'not among others',
    );
    const honest = admitChain([], offer, { ...from, sharedBy: bob }).chain;
    const { chain: read } = openPost(honest, (posts[0] as (typeof posts)[0]).post, from1());
    const own = admitChain([read], offer, from).chain;
    t.equal(own.sharedBy, undefined);
    t.ok(wasRead(own, 0), 'what was read stays read');
  },
);

const from1 = () => (posts[0] as (typeof posts)[0]).context;

t.test(
  'an earlier place lets a reader go back to there, if it leads to the same keys',
  async (t) => {
    const late = admitChain([], channelKeyFrom(later, 2, zeros, log), from).chain;
    const run = openRun(late, posts);
    t.same(
      run.results.map(({ fault }) => fault?.code),
      ['before_chain', 'before_chain', undefined, undefined],
    );
    const wide = admitChain([run.chain], offer, from).chain;
    t.same(
      openRun(wide, posts).results.map(({ fault }) => fault?.code),
      [undefined, undefined, 'duplicate', 'duplicate'],
    );
    t.same(messageKeyAt(wide.keys, 0), messageKeyAt(known.keys, 0));
    const wrong = { ...offer, chainKey: chainKeyAt(chain.keys, 0).map((byte) => byte ^ 1) };
    t.throws(() => admitChain([late], wrong, from), taken, 'to other keys');
  },
);

t.test('pitfall: skip flood: a chain that two places span too far apart is refused', async (t) => {
  const far = { ...offer, iteration: 5000, prev: zeros };
  const kept = admitChain([], far, from).chain;
  const code = 'too_far_ahead';
  t.throws(() => admitChain([kept], offer, from), { code });
  t.throws(() => admitChain([known], far, from), { code });
});

t.test(
  'pitfall: a flood of chains: of those that nothing was read of the oldest makes room',
  async (t) => {
    const kept = Array.from(
      { length: chainLimits.waiting },
      (_, i) => admitChain([], channelKeyOf(annsChain(`waiting ${i}`), log), from).chain,
    );
    t.equal(admitChain(kept, offer, from).drop, kept[0]);
    t.equal(admitChain(kept.slice(1), offer, from).drop, undefined);
    const [first, ...rest] = kept as [typeof known, ...(typeof known)[]];
    const read = { ...first, read: Uint8Array.of(1) };
    t.equal(admitChain([read, ...rest], offer, from).drop, undefined, 'it was read');
    t.equal(admitChain(kept, { ...offer, epoch: 6 }, from).drop, undefined, 'of another epoch');
    const shared = { ...from, sharedBy: mallory };
    t.equal(admitChain(kept, offer, shared).drop, undefined, 'nobody else crowds hers out');
  },
);
