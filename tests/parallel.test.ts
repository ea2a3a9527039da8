/**
 * What is good once, asked for many times at once, by one who has everything right: through the edge, over
 * many connections, from many addresses, so that no limit of tries answers in place of the promise.
 */
import { randomBytes } from 'node:crypto';
import { openAuthenticator } from '@island/appliance/verify/authenticator.ts';
import { askingToJoin } from '@island/appliance/verify/people.ts';
import { oneOf, refusal, storm, told } from '@island/appliance/verify/storm.ts';
import { beginTwoFactor, confirmTwoFactor } from '@island/client/sign-in/two-factor.ts';
import { call } from '@island/client/transport/transport.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { openDoor } from './door.ts';
import { bootIsland } from './island.ts';
import { members } from './members.ts';

const times = 64;
/** Four tries each: fewer than anything that is limited by address. */
const addresses = 16;
/** What an island that is short of time answers, which is no answer to the question. */
const busy = 'unavailable';

t.test('A2, A3, A5: many at once', async (t) => {
  await using island = await bootIsland();
  await using held = new AsyncDisposableStack();
  const { address } = island.welcome;
  const doors = await Promise.all(
    Array.from({ length: addresses }, async (_, i) => held.use(await openDoor(address, i + 2))),
  );
  const [alice, bob, carol] = await members(island, ['alice', 'bob', 'carol']);
  if (!alice || !bob || !carol) throw new Error('nobody');
  for (const person of [alice, bob, carol]) held.use(person);

  await t.test('A2: 64 sign-ins with the six digits of one step: one gets in', async (t) => {
    const platforms = doors.map((door) => door.through(alice.platform));
    const { secret } = await beginTwoFactor(alice.keeping, { island: 'test', name: alice.name });
    const authenticator = openAuthenticator(secret);
    await confirmTwoFactor(alice.keeping, await authenticator.digits());
    const before = await alice.session.call('sessions', {});
    const signIn = await alice.signing({ second: { totp: await authenticator.digits() } });
    const outcomes = await storm(alice, platforms, signIn, times);
    t.ok(oneOf(outcomes, ['totp_used', busy]), told(outcomes));
    t.ok((outcomes['totp_used'] ?? 0) > times / 2, 'the step is what they were refused for');
    const { sessions } = await alice.session.call('sessions', {});
    t.equal(sessions.length, before.sessions.length + 1);
  });

  await t.test('A3: 64 redemptions of one code: one gets its share', async (t) => {
    const platforms = doors.map((door) => door.through(bob.platform));
    const [code = ''] = bob.codes;
    const join = await askingToJoin(bob, { code });
    const leaves: string[] = [];
    const outcomes = await storm(
      bob,
      platforms,
      async (over) => void leaves.push((await join(over)).joining),
      times,
    );
    t.ok(oneOf(outcomes, ['wrong_code', busy]), told(outcomes));
    t.ok((outcomes['wrong_code'] ?? 0) > times / 2, 'the code is what they were refused for');
    t.equal(leaves.length, 1);
    const [token = ''] = leaves;
    const { loc } = await call(bob.transport, 'recovery', {}, { token });
    const { codes } = await bob.session.call('account', {});
    t.equal(codes, 7, 'and the seven others are good');
    const { used } = await bob.session.call('record', {});
    t.same(used, [], 'its slot waits for the one who joins');
    t.equal(loc.length, 16);
  });

  await t.test(
    'A5: 64 uses of one refresh token: one exchange, and the end of it all',
    async (t) => {
      const { refresh } = await carol.login();
      const other = await carol.login();
      const given: string[] = [];
      const outcomes = await storm(
        carol,
        [carol.platform],
        async (over) => {
          const attempt = base64url(new Uint8Array(randomBytes(16)));
          given.push((await carol.refresh(refresh, attempt, over)).refresh);
        },
        times,
      );
      t.ok(oneOf(outcomes, ['session_revoked']), told(outcomes));
      for (const token of [refresh, ...given])
        t.equal(await refusal(() => carol.refresh(token)), 'session_revoked');
      t.equal(
        await refusal(() => carol.refresh(other.refresh)),
        'accepted',
        'other sessions go on',
      );
    },
  );

  await t.test('A5: 64 repetitions of one exchange are one exchange', async (t) => {
    const { refresh } = await carol.login();
    const attempt = base64url(new Uint8Array(randomBytes(16)));
    const given = new Set<string>();
    const outcomes = await storm(
      carol,
      [carol.platform],
      async (over) => void given.add((await carol.refresh(refresh, attempt, over)).refresh),
      times,
    );
    t.same(outcomes, { accepted: times });
    t.equal(given.size, 1, 'of one new token');
  });
});
