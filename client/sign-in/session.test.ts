/** Refresh tokens: each is used for one exchange, whoever dies and whatever is lost. */
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { oddIsland } from '../testing/odd-island.ts';
import { person, quickPlatform } from '../testing/person.ts';
import { openSession } from './session.ts';

t.test(
  'A5: an exchange whose answer was lost is repeated with the same attempt, also by another process',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    const { storage, islander } = alice;
    const { account } = islander;
    let time = Date.now();
    const session = () =>
      openSession({
        storage,
        transport: quickPlatform.transport(account.pinned),
        account,
        now: () => time,
      });
    const first = await session().token();
    t.equal(await session().token(), first, 'while it is fresh nothing is asked');
    time += limits.accessSeconds * 1000;
    island.twist.answer = (path, answer) => (path === '/v1/refresh' ? 'cut' : answer);
    await t.rejects(session().token(), { code: 'unreachable' });
    await t.rejects(session().token(), { code: 'unreachable' });
    delete island.twist.answer;
    const renewed = await session().token();
    t.not(renewed, first);
    const exchanges = island.requests
      .filter(({ path }) => path === '/v1/refresh')
      .map(({ body }) => body);
    t.equal(exchanges.length, 3);
    const same = exchanges.map(({ refresh, attempt }) => ({ refresh, attempt }));
    t.same(same[1], same[0]);
    t.same(same[2], same[0]);
    t.match(same[0]?.attempt, /^[\w-]{22}$/);
    for (const part of ['nonce', 'deviceProof'])
      t.equal(
        new Set(exchanges.map((each) => each[part])).size,
        3,
        `each with a ${part} of its own`,
      );
  },
);

t.test('A5: many at once make one exchange', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  const { storage, islander } = alice;
  const { account } = islander;
  const later = Date.now() + limits.accessSeconds * 1000;
  const sessions = Array.from({ length: 8 }, () =>
    openSession({
      storage,
      transport: quickPlatform.transport(account.pinned),
      account,
      now: () => later,
    }),
  );
  const tokens = await Promise.all(sessions.map((each) => each.token()));
  t.equal(new Set(tokens).size, 1);
  t.equal(island.requests.filter(({ path }) => path === '/v1/refresh').length, 1);
});

t.test(
  'a token that the island refuses early is renewed once; a revoked session says to sign in',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    const { session } = alice.islander;
    let refused = 0;
    island.twist.before = (path) => {
      if (path === '/v1/prekeys' && refused++ === 0) throw new Fault('token_expired');
      return undefined;
    };
    t.same(await session.call('prekeyCount', {}), { oneTime: 100 });
    t.equal(refused, 2);
    island.twist.before = (path) => {
      if (path === '/v1/prekeys') throw new Fault('token_expired');
      if (path === '/v1/refresh') throw new Fault('session_revoked');
      return undefined;
    };
    await t.rejects(session.call('prekeyCount', {}), { code: 'signed_out' });
    await t.rejects(session.token(), { code: 'signed_out' });
  },
);

t.test('A5: a nonce of another length is refused, and the refresh token stays here', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  const { session } = alice.islander;
  session.refused(await session.token());
  for (const length of [0, 39, 41]) {
    island.twist.answer = (path, answer) =>
      path === '/v1/nonce' ? { nonce: Buffer.alloc(length).toString('base64url') } : answer;
    await t.rejects(session.token(), { code: 'not_an_island' });
  }
  t.notOk(island.requests.some(({ path }) => path === '/v1/refresh'));
  delete island.twist.answer;
  await session.token();
});
