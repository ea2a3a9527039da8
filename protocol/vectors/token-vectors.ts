/** Vectors of delivery tokens: blinded, given out with a proof, finished, spent. docs/protocol/tokens.md */
import {
  blindTokens,
  finishTokens,
  inParts,
  spendContext,
  tokenId,
} from '../crypto/delivery-token.ts';
import { deriveIssuer } from '../crypto/token-issuer.ts';
import { concat } from '../wire/bytes.ts';
import { decodeToken, encodeToken, tokenClasses } from '../wire/token.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, type VectorFile } from './vector-file.ts';

/** The first byte beyond the field's prime: no element. */
const notCanonical = new Uint8Array(32).fill(0xff);
const day = 20_780;

export const vectors: VectorFile = {
  name: 'tokens',
  document: 'docs/protocol/tokens.md',
  make() {
    const random = seededRandom('tokens');
    const seed = random(32);
    const issuer = deriveIssuer(seed, tokenClasses.delivery, day);
    const other = deriveIssuer(seed, tokenClasses.media, day);
    const { request, secrets } = blindTokens(tokenClasses.delivery, day, 3, random);
    const answer = issuer.evaluate(request, random);
    const tokens = finishTokens(secrets, answer, issuer.public);
    const [first] = tokens.map(encodeToken);
    if (first === undefined) throw new Error('no token');
    const [a, b, c] = inParts(answer.evaluated);
    const order = random(90);
    const finish = (evaluated: Uint8Array, proof = answer.proof, key = issuer.public) =>
      refused('', evaluated, () => finishTokens(secrets, { evaluated, proof }, key)).fault;
    return {
      seed,
      keys: [
        { class: tokenClasses.delivery, day, public: issuer.public },
        { class: tokenClasses.media, day, public: other.public },
        {
          class: tokenClasses.delivery,
          day: day + 1,
          public: deriveIssuer(seed, tokenClasses.delivery, day + 1).public,
        },
      ],
      batch: { class: tokenClasses.delivery, day, secrets, request, answer },
      tokens: tokens.map((token) => {
        return { token, bytes: encodeToken(token), id: tokenId(token) };
      }),
      spending: { order, context: spendContext(order) },
      requestsRefused: [
        refused('no element', new Uint8Array(0), issuer.evaluate),
        refused('half an element', request.subarray(0, 48), issuer.evaluate),
        refused('the identity', new Uint8Array(32), issuer.evaluate),
        refused('not canonical', notCanonical, issuer.evaluate),
        refused('129 elements', new Uint8Array(129 * 32), issuer.evaluate),
      ],
      answersRefused: [
        { why: 'under another key', fault: finish(other.evaluate(request, random).evaluated) },
        { why: 'in another order', fault: finish(concat(...[b, a, c].flatMap((e) => e ?? []))) },
        { why: 'one missing', fault: finish(answer.evaluated.subarray(0, 64)) },
        { why: 'the identity', fault: finish(changed(answer.evaluated, 0, ...new Uint8Array(32))) },
        {
          why: 'another proof',
          fault: finish(answer.evaluated, changed(answer.proof, 0, (answer.proof[0] ?? 0) ^ 1)),
        },
        {
          why: 'a public key that is another’s',
          fault: finish(answer.evaluated, answer.proof, other.public),
        },
      ],
      tokensRefused: [
        refused('class 3', changed(first, 0, 3), decodeToken),
        refused('a trailing byte', concat(first, Uint8Array.of(0)), decodeToken),
        refused('the last byte missing', first.subarray(0, -1), decodeToken),
      ],
    };
  },
};
