/** Enrolment, on real SQLite, NATS and Redis. docs/protocol/directory.md §2 */
import { makeBatch } from '@island/protocol/crypto/prekeys.ts';
import t from 'tap';
import { directory } from './contract.ts';
import { testDirectory } from './testing/directory.ts';
import { newcomer } from './testing/newcomer.ts';

const running = await testDirectory();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, accounts, clock, today, challenge, enrolled } = running;
const own = (bytes: Uint8Array) => new Uint8Array(bytes);

t.test('a person who enrolled is found by name, with the very list they signed', async (t) => {
  const ada = await enrolled('ada');
  const found = await gateway.call(directory, 'lists', { name: 'ada', after: 0 });
  t.equal(found.account, ada.keys.account);
  t.same(found.lists, [ada.enrolment.list]);
  t.same(await accounts.call(directory, 'devices', { account: ada.keys.account }), {
    epoch: 1,
    devices: [1],
    published: 1,
    required: [1],
  });
  await t.rejects(gateway.call(directory, 'lists', { name: 'nobody', after: 0 }), {
    code: 'unknown_person',
  });
});

t.test('the same enrolment again changes nothing, whatever became of its challenge', async (t) => {
  const bob = await enrolled('bob');
  const repeated = { ...bob.enrol(bob.keys.dik.public), proof: new Uint8Array(32) };
  await accounts.call(directory, 'enrol', repeated);
  const batch = own(makeBatch(bob.keys.dsk, 1, today(), undefined, 2).public);
  await t.rejects(accounts.call(directory, 'enrol', { ...repeated, batch }), {
    code: 'account_exists',
  });
  t.same(
    await gateway.call(directory, 'prekeyCount', {
      account: bob.keys.account,
      device: bob.keys.device,
    }),
    { oneTime: 3 },
  );
});

t.test('a name belongs to one account, also when many ask at once', async (t) => {
  const at = await challenge();
  const claims = Array.from({ length: 16 }, () => newcomer('wanted', { oneTime: 1 }));
  const results = await Promise.allSettled(
    claims.map((claim) => accounts.call(directory, 'enrol', claim.enrol(at))),
  );
  const refused = results.filter((result) => result.status === 'rejected');
  t.equal(refused.length, 15);
  t.ok(refused.every(({ reason }) => reason.code === 'name_taken'));
});

t.test('nothing is enrolled that does not prove or agree with itself', async (t) => {
  const at = await challenge();
  const eve = newcomer('eve');
  const mallory = newcomer('mallory');
  const refuse = async (change: object, code: string, what: string) => {
    const request = { ...eve.enrol(at), ...change };
    await t.rejects(accounts.call(directory, 'enrol', request), { code }, what);
  };
  const list = own(eve.enrolment.list);
  list[list.length - 1] = (list.at(-1) ?? 0) ^ 1;
  await refuse({ list }, 'bad_signature', 'a list with another signature');
  await refuse({ proof: mallory.enrol(at).proof }, 'bad_proof', 'the proof of another device');
  await refuse({ name: 'evelyn' }, 'malformed', 'another name than the list says');
  await refuse({ account: mallory.keys.account }, 'malformed', 'another account');
  await refuse({ device: 2 }, 'malformed', 'another device');
  await refuse({ list: mallory.enrolment.list }, 'malformed', 'the list of somebody else');
  const theirs = mallory.enrolment;
  await refuse({ signedPrekey: theirs.signedPrekey }, 'bad_signature', 'a foreign signed prekey');
  await refuse({ lastResort: theirs.lastResort }, 'bad_signature', 'a foreign last resort');
  await refuse({ batch: theirs.batch }, 'bad_signature', 'a foreign batch');
  await t.rejects(gateway.call(directory, 'lists', { name: 'eve', after: 0 }), {
    code: 'unknown_person',
  });
});

t.test(
  'a challenge is good for its hour and the next, not longer, and a foreign one never',
  async (t) => {
    const person = newcomer('hourly');
    const at = await challenge();
    await t.rejects(
      accounts.call(directory, 'enrol', person.enrol(newcomer('x').keys.dik.public)),
      {
        code: 'challenge_expired',
      },
    );
    clock.ahead += 2 * 3_600_000;
    t.notSame(await challenge(), at);
    await t.rejects(accounts.call(directory, 'enrol', person.enrol(at)), {
      code: 'challenge_expired',
    });
    const before = await challenge();
    clock.ahead += 3_600_000;
    await challenge();
    await accounts.call(directory, 'enrol', person.enrol(before));
  },
);

t.test('the log says nothing about people', async (t) => {
  const text = island.log.lines.join('\n');
  for (const word of ['ada', 'wanted', 'hourly']) t.notMatch(text, word);
  t.notMatch(text, /[0-9a-f]{32}/);
});

t.end();
