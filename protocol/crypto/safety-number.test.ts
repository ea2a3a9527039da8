import { createHash } from 'node:crypto';
import t from 'tap';
import { accountId } from '../wire/ids.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { hex } from '../wire/text.ts';
import { ed25519, randomBytes } from './primitives.ts';
import {
  compareSafetyCode,
  decodeSafetyCode,
  encodeSafetyCode,
  type Identity,
  safetyNumber,
} from './safety-number.ts';

const identity = (): Identity => {
  return { account: accountId(hex(randomBytes(16))), aik: ed25519.generate().public };
};
const [ann, ben, eve] = [identity(), identity(), identity()];
const annToo = { ...ann, aik: eve.aik };

t.test('both sides read the same sixty digits', async (t) => {
  const number = safetyNumber(ann, ben);
  t.same(safetyNumber(ben, ann), number);
  t.equal(number.length, 12);
  for (const group of number) t.match(group, /^\d{5}$/);
});

t.test('another key, another account and another partner have other digits', async (t) => {
  const number = safetyNumber(ann, ben).join('');
  for (const other of [annToo, { ...ann, account: eve.account }, eve]) {
    t.not(safetyNumber(other, ben).join(''), number);
  }
});

t.test(
  'each half is of one side alone, so that a changed key changes half of the number',
  async (t) => {
    const halves = (a: Identity, b: Identity): string[] =>
      [0, 6].map((at) =>
        safetyNumber(a, b)
          .slice(at, at + 6)
          .join(''),
      );
    const before = halves(ann, ben);
    const after = halves(annToo, ben);
    t.equal(before.filter((half) => after.includes(half)).length, 1);
  },
);

t.test('the digits are those of the document, rounds and all', async (t) => {
  const sha512 = (...parts: Uint8Array[]): Buffer =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha512')).digest();
  const half = ({ account, aik }: Identity): string => {
    const subject = Buffer.concat([aik, Buffer.from(account, 'hex')]);
    let hash = sha512(Buffer.from('PI/1/safety\0'), subject);
    for (let i = 0; i < 5200; i++) hash = sha512(hash, subject);
    return [0, 5, 10, 15, 20, 25]
      .map((at) => String(hash.readUIntBE(at, 5) % 100_000).padStart(5, '0'))
      .join('');
  };
  t.equal(safetyNumber(ann, ben).join(''), [half(ann), half(ben)].sort().join(''));
});

t.test('a code that is scanned: the same, of other people, or an alarm', async (t) => {
  const shown = encodeSafetyCode(ben, ann);
  t.equal(compareSafetyCode(shown, ann, ben), 'same');
  t.equal(compareSafetyCode(encodeSafetyCode(eve, ann), ann, ben), 'other_people');
  t.equal(compareSafetyCode(encodeSafetyCode(ben, eve), ann, ben), 'other_people');
  t.equal(compareSafetyCode(encodeSafetyCode({ ...ben, aik: eve.aik }, ann), ann, ben), 'differs');
  t.equal(compareSafetyCode(encodeSafetyCode(ben, annToo), ann, ben), 'differs');
  t.equal(compareSafetyCode(encodeSafetyCode(ann, ben), ann, ben), 'other_people', 'own mirror');
});

t.test('fuzz: the decoder of codes throws faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: decodeSafetyCode,
    encode: ({ own, other }) => encodeSafetyCode(own, other),
    samples: [encodeSafetyCode(ann, ben)],
  });
});
