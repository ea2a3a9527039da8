import t from 'tap';
import { fuzzDecoder } from './testing/decoder-fuzz.ts';
import { decodeToken, encodeToken, type Token, tokenBytes, tokenClasses } from './token.ts';

const token: Token = {
  class: tokenClasses.media,
  day: 0xffff_ffff,
  input: new Uint8Array(32).fill(1),
  output: new Uint8Array(64).fill(2),
};

t.test('a token has one encoding of one length', async (t) => {
  t.equal(encodeToken(token).length, tokenBytes);
  t.same(decodeToken(encodeToken(token)), token);
});

t.test('a class that does not exist is refused', async (t) => {
  for (const kind of [0, 3, 255]) {
    const bytes = encodeToken(token);
    bytes[0] = kind;
    t.throws(() => decodeToken(bytes), { name: 'Fault', code: 'malformed' });
  }
});

t.test('fuzz: the token decoder throws faults only', async (t) => {
  const samples = [encodeToken(token), encodeToken({ ...token, class: 1, day: 0 })];
  await fuzzDecoder(t, { decode: decodeToken, encode: encodeToken, samples, headless: true });
});
