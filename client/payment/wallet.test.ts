/** What an island can't learn by how many tokens are got, and when. M2 */
import { tokenClasses } from '@island/protocol/wire/token.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { type OddIsland, oddIsland } from '../testing/odd-island.ts';
import { person } from '../testing/person.ts';

/** How many were asked for, by class, in order. */
const batches = ({ requests }: OddIsland, kind: number) =>
  requests
    .filter(({ path, body }) => path === '/v1/tokens' && body['class'] === kind)
    .map(({ body }) => Buffer.from(String(body['blinded']), 'base64url').length / 32);

t.test(
  'M2: how many tokens an attachment needs is not seen in what is got before it',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    const take = (count: number) =>
      alice.islander.wallet.take(tokenClasses.media, count, () => ({}));
    t.equal((await take(5)).length, 5);
    t.equal((await take(11)).length, 11);
    t.same(batches(island, tokenClasses.media), [16]);
    t.equal((await take(17)).length, 17);
    t.same(batches(island, tokenClasses.media), [16, 16, 16]);
  },
);

t.test('M2: tokens for attachments are got once a day, needed or not', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  const { wallet } = alice.islander;
  await wallet.take(tokenClasses.delivery, 1, () => ({}));
  const stop = new AbortController();
  const kept = wallet.keep(stop.signal);
  await eventually(async () => (await alice.storage.list('token-stock')).length === 1);
  stop.abort();
  await kept;
  const again = new AbortController();
  const keptAgain = wallet.keep(again.signal);
  await wallet.take(tokenClasses.media, 16, () => ({}));
  await new Promise((resolve) => setImmediate(resolve));
  again.abort();
  await keptAgain;
  t.same(batches(island, tokenClasses.media), [16]);
});

t.test('M2: what is asked without a session is not asked as this device signs in', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  const stop = new AbortController();
  const kept = alice.islander.wallet.keep(stop.signal);
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.notOk(island.requests.some(({ path }) => path === '/v1/token-keys'));
  stop.abort();
  await kept;
});
