/** Tokens from both ends: what a client takes, what an island knows again, and what neither may accept. */
import t from 'tap';
import { concat } from '../wire/bytes.ts';
import { limits } from '../wire/limits.ts';
import { decodeToken, encodeToken, type Token, tokenClasses } from '../wire/token.ts';
import {
  blindTokens,
  finishTokens,
  inParts,
  spendContext,
  type TokenAnswer,
  tokenId,
} from './delivery-token.ts';
import { equal, randomBytes } from './primitives.ts';
import { codeOf } from './testing/devices.ts';
import { deriveIssuer } from './token-issuer.ts';

const seed = new Uint8Array(32).fill(5);
const day = 20_780;
const { delivery, media } = tokenClasses;
const issuer = deriveIssuer(seed, delivery, day);

const redeems = (token: Token): boolean =>
  equal(deriveIssuer(seed, token.class, token.day).redeem(token.input), token.output);

t.test('M2: every token of a batch is known again, and no two are the same', async (t) => {
  const { request, secrets } = blindTokens(delivery, day, 9);
  const tokens = finishTokens(secrets, issuer.evaluate(request), issuer.public);
  t.equal(tokens.length, 9);
  for (const token of tokens) t.ok(redeems(token));
  t.equal(new Set(tokens.map((token) => tokenId(token).join())).size, 9);
  for (const token of tokens) t.same(decodeToken(encodeToken(token)), token);
});

t.test('M2: nothing that the island saw when it issued is in what is spent', async (t) => {
  const { request, secrets } = blindTokens(delivery, day, 4);
  const answer = issuer.evaluate(request);
  const spent = concat(...finishTokens(secrets, answer, issuer.public).map(encodeToken));
  const seen = [...inParts(request), ...inParts(answer.evaluated), ...inParts(answer.proof)];
  for (const part of seen) t.equal(Buffer.from(spent).indexOf(part), -1);
});

t.test('pitfall: an answer under another key is refused, whoever it was made for', async (t) => {
  const { request, secrets } = blindTokens(delivery, day, 3);
  const others = [
    deriveIssuer(randomBytes(32), delivery, day),
    deriveIssuer(seed, media, day),
    deriveIssuer(seed, delivery, day + 1),
  ];
  for (const other of others) {
    t.equal(
      codeOf(() => finishTokens(secrets, other.evaluate(request), issuer.public)),
      'token_unproved',
    );
    t.equal(
      codeOf(() => finishTokens(secrets, issuer.evaluate(request), other.public)),
      'token_unproved',
    );
  }
});

t.test('pitfall: one element of a batch under another key spoils all of it', async (t) => {
  const { request, secrets } = blindTokens(delivery, day, 4);
  const { evaluated, proof } = issuer.evaluate(request);
  const marked = deriveIssuer(randomBytes(32), delivery, day).evaluate(request.subarray(64, 96));
  const answer = { evaluated: Uint8Array.from(evaluated), proof };
  answer.evaluated.set(marked.evaluated, 64);
  t.equal(
    codeOf(() => finishTokens(secrets, answer, issuer.public)),
    'token_unproved',
  );
});

t.test('pitfall: swapped, missing, further, and malformed evaluations are refused', async (t) => {
  const { request, secrets } = blindTokens(delivery, day, 3);
  const { evaluated, proof } = issuer.evaluate(request);
  const [a, b, c] = inParts(evaluated) as [Uint8Array, Uint8Array, Uint8Array];
  const identity = new Uint8Array(32);
  const notCanonical = new Uint8Array(32).fill(0xff);
  const wrong: TokenAnswer[] = [
    { evaluated: concat(b, a, c), proof },
    { evaluated: concat(a, b), proof },
    { evaluated: concat(a, b, c, c), proof },
    { evaluated: concat(a, a, c), proof },
    { evaluated: concat(a, b, identity), proof },
    { evaluated: concat(a, b, notCanonical), proof },
    { evaluated: evaluated.subarray(0, -1), proof },
    { evaluated: new Uint8Array(0), proof },
    { evaluated, proof: new Uint8Array(64) },
    { evaluated, proof: new Uint8Array(64).fill(0xff) },
    { evaluated, proof: proof.subarray(0, 63) },
    { evaluated, proof: concat(proof, identity) },
    { evaluated, proof: new Uint8Array(0) },
  ];
  for (const answer of wrong) {
    t.equal(
      codeOf(() => finishTokens(secrets, answer, issuer.public)),
      'token_unproved',
    );
  }
  for (const key of [identity, notCanonical, new Uint8Array(0)]) {
    const answer = { evaluated, proof };
    t.equal(
      codeOf(() => finishTokens(secrets, answer, key)),
      'token_unproved',
    );
  }
  t.equal(finishTokens(secrets, { evaluated, proof }, issuer.public).length, 3);
});

t.test('pitfall: a token is of one class and one day only', async (t) => {
  const { request, secrets } = blindTokens(delivery, day, 1);
  const [token] = finishTokens(secrets, issuer.evaluate(request), issuer.public);
  if (!token) return t.fail('no token');
  t.ok(redeems(token));
  t.notOk(redeems({ ...token, class: media }));
  t.notOk(redeems({ ...token, day: day + 1 }));
  t.notOk(redeems({ ...token, day: day - 1 }));
  t.notOk(redeems({ ...token, input: randomBytes(32) }));
});

t.test(
  'pitfall: a request for media under the key of delivery gives no token of either',
  async (t) => {
    const { request, secrets } = blindTokens(media, day, 1);
    const [token] = finishTokens(secrets, issuer.evaluate(request), issuer.public);
    if (!token) return t.fail('no token');
    t.notOk(redeems(token));
    t.notOk(redeems({ ...token, class: delivery }));
  },
);

t.test('an island answers only what is in form', async (t) => {
  const { request } = blindTokens(delivery, day, 2);
  const code = (bytes: Uint8Array): string => codeOf(() => issuer.evaluate(bytes));
  t.equal(code(new Uint8Array(0)), 'malformed');
  t.equal(code(request.subarray(1)), 'malformed');
  t.equal(code(new Uint8Array(32 * (limits.tokensPerBatch + 1))), 'malformed');
  t.equal(code(new Uint8Array(32)), 'not_canonical');
  t.equal(code(new Uint8Array(32).fill(0xff)), 'not_canonical');
  t.equal(code(concat(request, new Uint8Array(32))), 'not_canonical');
  t.equal(
    codeOf(() => issuer.redeem(new Uint8Array(31))),
    'malformed',
  );
  t.equal(
    codeOf(() => blindTokens(delivery, day, 0)),
    'malformed',
  );
  t.equal(
    codeOf(() => blindTokens(delivery, day, limits.tokensPerBatch + 1)),
    'malformed',
  );
});

t.test('a whole batch is given and taken', async (t) => {
  const { request, secrets } = blindTokens(media, day, limits.tokensPerBatch);
  const mediaIssuer = deriveIssuer(seed, media, day);
  const tokens = finishTokens(secrets, mediaIssuer.evaluate(request), mediaIssuer.public);
  t.equal(tokens.length, limits.tokensPerBatch);
  t.ok(tokens.every((token) => token.class === media && token.day === day));
});

t.test('what a token is spent on is known by sixteen bytes', async (t) => {
  const order = randomBytes(80);
  t.equal(spendContext(order).length, 16);
  t.same(spendContext(order), spendContext(Uint8Array.from(order)));
  t.notSame(spendContext(order), spendContext(order.subarray(1)));
});
