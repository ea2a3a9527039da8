/** The thread that does the arithmetic of tokens: real threads. */
import { randomBytes } from 'node:crypto';
import { blindTokens, finishTokens } from '@island/protocol/crypto/delivery-token.ts';
import { deriveIssuer } from '@island/protocol/crypto/token-issuer.ts';
import { tokenClasses } from '@island/protocol/wire/token.ts';
import t from 'tap';
import { faultCode } from '../../kit/testing/outcome.ts';
import { testLog } from '../../kit/testing/pki.ts';
import { openVoprfLane } from './voprf-lane.ts';

const seed = new Uint8Array(randomBytes(32));
const kind = tokenClasses.delivery;
const issuer = deriveIssuer(seed, kind, 20_000);
const token = (day = 20_000) => {
  const input = new Uint8Array(randomBytes(32));
  return { class: kind, day, input, output: issuer.redeem(input) };
};
const wrong = { ...token(), output: new Uint8Array(64) };

t.test('many at once, each gets its own answer', async (t) => {
  await using lane = openVoprfLane(seed, testLog());
  const counts = await Promise.all([
    lane.verify(kind, 20_000, [token(), token(), token()]),
    lane.verify(kind, 20_000, [token(), wrong, token()]),
    lane.verify(kind, 20_000, [wrong]),
    lane.verify(kind, 20_001, [token(20_001)]),
    lane.verify(tokenClasses.media, 20_000, [token()]),
    lane.verify(kind, 20_000, []),
  ]);
  t.same(counts, [3, 1, 0, 0, 0, 0]);
  const { request, secrets } = blindTokens(kind, 20_000, 5);
  const tokens = finishTokens(secrets, await lane.evaluate(kind, 20_000, request), issuer.public);
  t.equal(await lane.verify(kind, 20_000, tokens), 5);
});

t.test('what is refused there is refused here; the thread goes on', async (t) => {
  await using lane = openVoprfLane(seed, testLog());
  const bad = new Uint8Array(32).fill(0xff);
  t.equal(await faultCode(lane.evaluate(kind, 20_000, bad)), 'not_canonical');
  const short = { ...token(), output: new Uint8Array(63) };
  t.equal(await faultCode(lane.verify(kind, 20_000, [short])), 'internal');
  t.equal(await lane.verify(kind, 20_000, [token()]), 1);
});

t.test('whoever waits when it ends is told so, and whoever comes later', async (t) => {
  const lane = openVoprfLane(seed, testLog());
  const waits = faultCode(lane.verify(kind, 20_000, [token()]));
  await lane[Symbol.asyncDispose]();
  t.equal(await waits, 'unavailable');
  t.equal(await faultCode(lane.verify(kind, 20_000, [token()])), 'unavailable');
});
