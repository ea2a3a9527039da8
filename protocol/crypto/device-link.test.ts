import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { CryptoFault } from './crypto-fault.ts';
import {
  type Agreed,
  answerLink,
  beginLink,
  compareLink,
  giveLink,
  type LinkGift,
  makeOffer,
  type Offer,
  refuseLink,
  revealLink,
  takeLink,
} from './device-link.ts';
import { ed25519 } from './primitives.ts';

const random = seededRandom('device-link.test');
const offer = makeOffer(random);
const gift: LinkGift = {
  ark: random(32),
  arkEpoch: 3,
  aik: ed25519.fromSeed(random(32)),
  listHash: random(32),
  recordHash: random(32),
  head: { seq: 77, hash: random(32) },
};
const broken = { name: 'CryptoFault', code: 'link_broken' };
const isBroken = (error: unknown): boolean =>
  error instanceof CryptoFault && error.code === 'link_broken';

/** Two devices of one person, and everything that was said. */
function linked(by: Offer = offer) {
  const one = beginLink(by, random);
  const two = answerLink(by, one.message, random);
  const three = revealLink(one.side, two.message);
  return { one, two, three, old: compareLink(two.side, three.message) };
}

t.test('A4: both devices show the same six digits, and the new one gets the secrets', async (t) => {
  const { one, two, three, old } = linked();
  t.match(old.digits, /^[0-9]{6}$/);
  t.equal(three.agreed.digits, old.digits);
  const four = giveLink(old, gift);
  t.same(takeLink(three.agreed, four), gift);
  for (const message of [one.message, two.message, three.message, four]) {
    t.ok(message.length <= limits.linkMessageBytes);
  }
});

t.test('a refusal is as long as a gift and gives nothing', async (t) => {
  const { three, old } = linked();
  const refusal = refuseLink(old);
  t.equal(takeLink(three.agreed, refusal), undefined);
  t.equal(refusal.length, giveLink(old, gift).length);
});

t.test('digits differ from one try to the next', async (t) => {
  const digits = Array.from({ length: 40 }, () => linked().old.digits);
  t.ok(new Set(digits).size > 35);
});

t.test('without the secret of the link nothing opens', async (t) => {
  const { one, two, three, old } = linked();
  for (const other of [
    { ...offer, secret: random(32) },
    { ...offer, offer: random(16) },
  ]) {
    const side = { ...one.side, offer: other };
    t.throws(() => answerLink(other, one.message), broken);
    t.throws(() => revealLink(side, two.message), broken);
    t.throws(() => compareLink({ ...two.side, offer: other }, three.message), broken);
  }
  const stranger = linked({ ...offer, secret: random(32) });
  t.throws(() => takeLink(stranger.three.agreed, giveLink(old, gift)), broken);
});

t.test(
  'pitfall: SAS grinding: the new side’s key is fixed before it sees the old side’s number',
  async (t) => {
    const { one, two } = linked();
    // Somebody who has seen the link tries keys of its own until the digits would be right.
    for (let i = 0; i < 20; i++) {
      const other = beginLink(offer, random);
      const { message } = revealLink(other.side, two.message);
      t.throws(() => compareLink(two.side, message), broken);
    }
    t.doesNotThrow(() => compareLink(two.side, revealLink(one.side, two.message).message));
  },
);

t.test(
  'pitfall: SAS grinding: whoever stands between shows other digits on either side',
  async (t) => {
    let same = 0;
    for (let i = 0; i < 30; i++) {
      const truth = beginLink(offer, random);
      const between = beginLink(offer, random);
      const old = answerLink(offer, between.message, random);
      const asOld = answerLink(offer, truth.message, random);
      const shownOnNew = revealLink(truth.side, asOld.message).agreed;
      const toOld = revealLink(between.side, old.message);
      const shownOnOld = compareLink(old.side, toOld.message);
      t.equal(toOld.agreed.digits, shownOnOld.digits);
      if (shownOnNew.digits === shownOnOld.digits) same++;
      t.throws(() => takeLink(shownOnNew, giveLink(shownOnOld, gift)), broken);
    }
    t.equal(same, 0, 'one in a million');
  },
);

t.test('a step of one kind does not pass for another', async (t) => {
  const { one, two, three, old } = linked();
  const four = giveLink(old, gift);
  const all = [one.message, two.message, three.message, four];
  const takers: ((message: Uint8Array) => unknown)[] = [
    (message) => answerLink(offer, message),
    (message) => revealLink(one.side, message),
    (message) => compareLink(two.side, message),
    (message) => takeLink(three.agreed, message),
  ];
  takers.forEach((take, i) => {
    all.forEach((message, j) => {
      if (i === j) t.doesNotThrow(() => take(message));
      else t.throws(() => take(message), { name: 'Fault', code: 'unknown_type' });
      const renamed = Uint8Array.from(message);
      renamed[2] = i + 1;
      if (i !== j) t.throws(() => take(renamed), broken);
    });
  });
});

t.test('a gift of one try is none of another', async (t) => {
  const [a, b] = [linked(), linked()];
  t.throws(() => takeLink(b.three.agreed, giveLink(a.old, gift)), broken);
});

t.test('what is out of form is not given', async (t) => {
  const { old } = linked();
  const malformed = { name: 'Fault', code: 'malformed' };
  t.throws(() => giveLink(old, { ...gift, ark: random(31) }), malformed);
  t.throws(() => beginLink({ ...offer, offer: random(15) }), malformed);
  t.throws(() => beginLink({ ...offer, secret: random(31) }), malformed);
});

t.test('fuzz: each step takes its message or throws faults only', async (t) => {
  const { one, two, three, old } = linked();
  const agreed: Agreed = three.agreed;
  const steps: [Uint8Array, (message: Uint8Array) => unknown][] = [
    [one.message, (message) => answerLink(offer, message)],
    [two.message, (message) => revealLink(one.side, message)],
    [three.message, (message) => compareLink(two.side, message)],
    [giveLink(old, gift), (message) => takeLink(agreed, message)],
  ];
  for (const [sample, decode] of steps) {
    await fuzzDecoder(t, { decode, samples: [sample], authentic: true, otherFault: isBroken });
  }
});
