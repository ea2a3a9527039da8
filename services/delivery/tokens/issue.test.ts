/** Tokens are issued to an account, so many a day, and nothing about them is kept. Real SQLite. M2 */
import { randomBytes } from 'node:crypto';
import { blindTokens, finishTokens } from '@island/protocol/crypto/delivery-token.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { type TokenClass, tokenClasses } from '@island/protocol/wire/token.ts';
import t from 'tap';
import { unixDay } from '../../kit/clock.ts';
import { testIsland } from '../../kit/testing/kit.ts';
import { faultCode } from '../../kit/testing/outcome.ts';
import { expire } from '../retention.ts';
import { type TestTill, testTill } from '../testing/till.ts';
import { issue } from './issue.ts';

const island = await testIsland(['delivery']);
t.teardown(() => island[Symbol.asyncDispose]());
const kit = await island.kit('delivery');
const somebody = () => accountId(randomBytes(16).toString('hex'));

function ask(
  till: TestTill,
  account: AccountId,
  count: number,
  given: { kind?: TokenClass; day?: number } = {},
) {
  const { kind = tokenClasses.delivery, day = unixDay(till.clock) } = given;
  const { request, secrets } = blindTokens(kind, day, count);
  const { store, keys, clock } = till;
  const asked = issue(
    { store, keys, clock, secret: till.secrets.holders },
    { account, class: kind, day, blinded: request },
  );
  return { asked, secrets };
}

t.test('what is issued is proved under a published key, and is taken', async (t) => {
  await using till = await testTill(kit);
  const published = till.keys.published();
  const today = unixDay(till.clock);
  t.same(
    published.map((key) => [key.class, key.day]),
    [
      [1, today],
      [2, today],
      [1, today + 1],
      [2, today + 1],
    ],
  );
  for (const { class: kind, day, public: key } of published) {
    const { asked, secrets } = ask(till, somebody(), 3, { kind, day });
    const tokens = finishTokens(secrets, await asked, key);
    t.equal(tokens.length, 3);
    const check = () => till.redemption.check(tokens, kind, randomBytes(16));
    if (day === today) t.equal((await check())?.length, 3);
    else t.equal(await faultCode(check()), 'token_invalid', 'not before its day');
  }
});

t.test('keys are of their class and day, and the same after a restart', async (t) => {
  await using till = await testTill(kit);
  const names = () => till.keys.published().map((key) => Buffer.from(key.public).toString('hex'));
  const before = names();
  t.equal(new Set(before).size, 4);
  t.same(names(), before);
  till.clock.at += 86_400_000;
  t.same(names().slice(0, 2), before.slice(2), "tomorrow's are today's then");
});

t.test('an account gets so many of a day and class, another one its own', async (t) => {
  await using till = await testTill(kit);
  const account = somebody();
  const day = unixDay(till.clock);
  const batch = limits.tokensPerBatch;
  // Counted at once, as by several devices.
  const all = await Promise.all(
    Array.from({ length: limits.mediaTokensPerDay / batch + 3 }, () =>
      faultCode(ask(till, account, batch, { kind: tokenClasses.media }).asked),
    ),
  );
  t.equal(all.filter((code) => code === 'resolved').length, limits.mediaTokensPerDay / batch);
  t.equal(all.filter((code) => code === 'tokens_exhausted').length, 3);
  await t.rejects(ask(till, account, 1, { kind: tokenClasses.media }).asked, {
    code: 'tokens_exhausted',
    details: { seconds: Math.ceil((day + 1) * 86_400 - Math.floor(till.clock.at / 1000)) },
  });
  await ask(till, account, 1).asked;
  await ask(till, account, 1, { kind: tokenClasses.media, day: day + 1 }).asked;
  await ask(till, somebody(), 1, { kind: tokenClasses.media }).asked;
  till.clock.at += 86_400_000;
  await ask(till, account, batch, { kind: tokenClasses.media }).asked;
  t.equal(
    (
      await till.store.rows<{ count: number }>(
        'SELECT max(count) AS count FROM issued WHERE class = 1',
      )
    )[0]?.count,
    1,
  );
});

t.test(
  'nothing is issued for yesterday, for the day after tomorrow, or without form',
  async (t) => {
    await using till = await testTill(kit);
    const account = somebody();
    const day = unixDay(till.clock);
    for (const other of [day - 1, day + 2, 0, 0xffff_ffff]) {
      t.equal(await faultCode(ask(till, account, 1, { day: other }).asked), 'token_invalid');
    }
    const { store, keys, clock } = till;
    const bare = (blinded: Uint8Array) =>
      faultCode(
        issue(
          { store, keys, clock, secret: till.secrets.holders },
          { account, class: 1, day, blinded },
        ),
      );
    t.equal(await bare(new Uint8Array(0)), 'malformed');
    t.equal(await bare(new Uint8Array(33)), 'malformed');
    t.equal(await bare(randomBytes(32 * (limits.tokensPerBatch + 1))), 'malformed');
    t.equal(await bare(new Uint8Array(32)), 'not_canonical', 'the identity');
    t.equal(await bare(new Uint8Array(32).fill(0xff)), 'not_canonical');
  },
);

t.test(
  'M2: what is kept of an issue is a count under a keyed hash, until the day is over',
  async (t) => {
    await using till = await testTill(kit);
    const account = somebody();
    const { asked, secrets } = ask(till, account, 5);
    const answer = await asked;
    const kept = await till.bytes();
    const traces: [string, Uint8Array][] = [
      ['the account', Buffer.from(account)],
      ['the account, raw', Buffer.from(account, 'hex')],
      ...secrets.map(({ blinded }): [string, Uint8Array] => ['what was asked', blinded]),
      ['what was answered', answer.evaluated.subarray(0, 32)],
      ['the proof', answer.proof.subarray(0, 32)],
    ];
    for (const [what, bytes] of traces) t.notOk(kept.includes(Buffer.from(bytes)), what);
    const rows = await till.store.rows('SELECT class, day, count FROM issued');
    t.same(rows, [{ class: 1, day: unixDay(till.clock), count: 5 }]);
    await expire(till.store, till.mailboxes, unixDay(till.clock) + 1);
    t.same(await till.store.rows('SELECT * FROM issued'), []);
  },
);
