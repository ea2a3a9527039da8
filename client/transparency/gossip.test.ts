/** An island that shows two people two logs, and what they find out by talking to each other. */

import { pad, unpad } from '@island/protocol/crypto/padding.ts';
import { decodePlaintext, encodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import type { SeenLog } from '@island/protocol/crypto/text-body.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { memoryStorage } from '../storage/memory.ts';
import { encodeRecord } from '../storage/record.ts';
import type { Storage } from '../storage/storage.ts';
import { caught } from '../testing/attacked.ts';
import { type OddIsland, oddIsland } from '../testing/odd-island.ts';
import type { OddLog } from '../testing/odd-log.ts';
import { person, reopen, type TestPerson } from '../testing/person.ts';
import { compareHeard, differences } from './comparing.ts';
import { allHeard, hear, telling } from './gossip.ts';
import { type Head, readHead } from './head.ts';

t.setTimeout(120_000);

const hour = 3_600_000;
const never = new AbortController().signal;
const root = (byte: number) => new Uint8Array(32).fill(byte);

/** Two who know each other, and a log that says nothing new unless the test does. */
async function scene() {
  const held = new AsyncDisposableStack();
  const island = held.use(await oddIsland());
  const alice = held.use(await person(island, 'alice'));
  const bob = held.use(await person(island, 'bob'));
  await alice.islander.people.find('bob');
  await bob.islander.people.find('alice');
  island.log.silent = true;
  await island.log.history.publish();
  return { island, alice, bob, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** From now on the island has this log; whoever looks has seen it, and says so. */
async function seesAndSays(island: OddIsland, log: OddLog, who: TestPerson, to: string) {
  island.log = log;
  await who.islander.people.refresh(to);
  if ((await who.sends(to, 'hello')).join() !== 'accepted') throw new Error('not sent');
}

/** Under this log somebody reads what came, and the program ends. */
async function reads(island: OddIsland, log: OddLog, who: TestPerson): Promise<string[]> {
  island.log = log;
  const heard = await who.hears(1);
  await who.islander[Symbol.asyncDispose]();
  return heard;
}

const accountOf = (who: TestPerson): AccountId => who.islander.account.account;

const heads = async (who: TestPerson): Promise<Head> => {
  const head = await readHead(who.storage);
  if (!head) throw new Error(`${who.name} has seen nothing`);
  return head;
};

const heardSizes = async (storage: Storage) => (await allHeard(storage)).map(({ size }) => size);

/** The keeper's look, at a time of one's choice. */
const compares = ({ storage, islander }: TestPerson, ahead = 0) =>
  compareHeard({ storage, transport: islander.transport, now: () => Date.now() + ahead }, never);

t.test(
  'K2: two people whom the island shows two logs of one size are both told, by name, and once',
  async (t) => {
    await using here = await scene();
    const { island, alice, bob } = here;
    const [one, other] = [island.log, await island.log.branch()];
    await one.history.publish();
    await other.history.publish({ timestamp: Date.now() + 1 });
    await seesAndSays(island, one, alice, 'bob');
    await seesAndSays(island, other, bob, 'alice');
    t.equal((await heads(alice)).size, (await heads(bob)).size);
    t.same(await reads(island, other, bob), ['alice: hello']);
    t.same(await reads(island, one, alice), ['bob: hello']);
    for (const [who, log, from] of [
      [alice, one, bob],
      [bob, other, alice],
    ] as const) {
      island.log = log;
      // Whichever round of the keeper came behind the message: of this program, or of the one before.
      await using again = await reopen(who.name, who.storage);
      again.islander.startReceiving();
      await eventually(async () => (await differences(who.storage))[0]?.told === true);
      const theirs = (await heads(from)).root;
      const [found] = await differences(who.storage);
      t.match(found, { account: accountOf(from), theirs, ours: (await heads(who)).root });
      t.same(await heardSizes(who.storage), []);
      t.equal(await caught(who.storage), 'not caught', 'a contact could lie as well');
      t.equal((await again.islander.people.refresh(from.name)).name, from.name);
      await again.islander[Symbol.asyncDispose]();
      await using third = await reopen(who.name, who.storage);
      await compares(third, 2 * hour);
      third.islander.startReceiving();
      await third.event('online');
      await third.islander[Symbol.asyncDispose]();
      const told = [who, again, third].flatMap(({ events }) => events);
      t.match(
        told.filter(({ type }) => type === 'directory'),
        [{ error: { code: 'directory_differs', message: new RegExp(`^${from.name} has been`) } }],
      );
    }
  },
);

t.test('K2: of two logs the longer one is compared as soon as the shorter has grown', async (t) => {
  await using here = await scene();
  const { island, alice, bob } = here;
  const [short, long] = [island.log, await island.log.branch()];
  await short.history.publish();
  for (let i = 1; i <= 3; i++) await long.history.publish({ timestamp: Date.now() + i });
  await seesAndSays(island, short, alice, 'bob');
  await seesAndSays(island, long, bob, 'alice');
  await reads(island, long, bob);
  await reads(island, short, alice);
  await using bobAgain = await reopen('bob', bob.storage);
  island.log = long;
  await compares(bobAgain);
  t.match(await differences(bob.storage), [{ size: (await heads(alice)).size }]);
  await using aliceAgain = await reopen('alice', alice.storage);
  island.log = short;
  await compares(aliceAgain);
  t.same(await differences(alice.storage), [], 'nobody can say anything of it yet');
  t.equal((await heardSizes(alice.storage)).length, 1);
  for (let i = 0; i < 4; i++) await short.history.publish();
  await compares(aliceAgain);
  t.same(await differences(alice.storage), [], 'within the hour it is not looked at again');
  await compares(aliceAgain, hour);
  t.match(await differences(alice.storage), [{ size: (await heads(bob)).size }]);
  t.equal(await caught(alice.storage), 'not caught');
});

t.test('K2: who has seen more has us look, which costs no token and agrees', async (t) => {
  await using here = await scene();
  const { island, alice, bob } = here;
  await seesAndSays(island, island.log, alice, 'bob');
  const before = await heads(alice);
  for (let i = 0; i < 300; i++) await island.log.history.publish();
  await seesAndSays(island, island.log, bob, 'alice');
  await island.log.history.publish();
  const heard = await heads(bob);
  const said = { account: accountOf(bob), known: true };
  const put = await hear(alice.storage, said, heard, Date.now());
  await alice.storage.commit({ put });
  const asked = island.requests.length;
  await compares(alice);
  t.equal(island.requests.length, asked, 'only the log was read');
  t.equal(before.size < heard.size, true);
  t.equal((await heads(alice)).size, heard.size + 1, 'it is the newest that the island has');
  t.same(await differences(alice.storage), []);
  t.same(await heardSizes(alice.storage), []);
});

t.test('M2: what is read to compare is of the size that everybody is shown', async (t) => {
  await using here = await scene();
  const { island, alice, bob } = here;
  await seesAndSays(island, island.log, alice, 'bob');
  const { size, root } = await heads(alice);
  for (let i = 0; i < 9; i++) await island.log.history.publish();
  const said = { account: accountOf(bob), known: true };
  await alice.storage.commit({ put: await hear(alice.storage, said, { size, root }, Date.now()) });
  const read: string[] = [];
  island.onRequest = ({ url = '' }) => void read.push(url);
  await compares(alice);
  t.same(await differences(alice.storage), []);
  t.ok(read.includes(`/log/tile/0/000.p/${(await heads(alice)).size}`), 'of the newest');
  t.notOk(read.includes(`/log/tile/0/000.p/${size}`), 'not of what this home had seen');
});

t.test(
  'K2: a fork that the island itself signs is caught, whoever said that there is more',
  async (t) => {
    await using here = await scene();
    const { island, alice, bob } = here;
    const [one, other] = [island.log, await island.log.branch()];
    await one.history.publish();
    for (let i = 1; i <= 3; i++) await other.history.publish({ timestamp: Date.now() + i });
    await seesAndSays(island, one, alice, 'bob');
    await seesAndSays(island, other, bob, 'alice');
    const said = { account: accountOf(bob), known: true };
    await alice.storage.commit({
      put: await hear(alice.storage, said, await heads(bob), Date.now()),
    });
    await t.rejects(compares(alice), { code: 'directory_contradicted' });
    t.equal(await caught(alice.storage), 'consistency_invalid: rewrite');
    await t.resolves(compares(alice, 2 * hour), 'and nothing more is looked for');
  },
);

t.test('K2: a contact who lies costs one look an hour, one row, and no key', async (t) => {
  await using here = await scene();
  const { island, alice, bob } = here;
  await seesAndSays(island, island.log, alice, 'bob');
  const { size } = await heads(alice);
  let looked = 0;
  island.onRequest = ({ url }) => {
    if (url === '/log/checkpoint') looked += 1;
  };
  const said = { account: accountOf(bob), known: true };
  const lies = async (lie: SeenLog, at = 0) =>
    alice.storage.commit({ put: await hear(alice.storage, said, lie, Date.now() + at) });
  for (let i = 0; i < 5; i++) {
    await lies({ size: 2 ** 52 + i, root: root(i) });
    await compares(alice);
  }
  t.same(await heardSizes(alice.storage), [2 ** 52 + 4], 'the newest');
  t.equal(looked, 1);
  t.same(await differences(alice.storage), [], 'what the island shows nobody counts for nothing');
  await lies({ size, root: root(1) });
  await compares(alice, hour);
  const found = await differences(alice.storage);
  t.match(found, [{ size, theirs: root(1) }]);
  for (let i = 2; i < 5; i++) {
    await lies({ size: size - i, root: root(i) });
    await compares(alice, i * hour);
  }
  t.same(await differences(alice.storage), found, 'and of all his lies one is told');
  t.equal(await caught(alice.storage), 'not caught');
  await alice.islander.people.refresh('bob');
  await lies({ size: 2 ** 52, root: root(1) });
  await compares(alice, 8 * 24 * hour);
  t.same(await heardSizes(alice.storage), [], 'in a week it is forgotten');
});

t.test('K2: strangers are heard once they are let in, and only so many', async (t) => {
  await using here = await scene();
  const { island, alice, bob } = here;
  await seesAndSays(island, island.log, bob, 'alice');
  await alice.hears(1);
  t.equal((await heardSizes(alice.storage)).length, 1);
  const now = Date.now();
  for (let i = 0; i < 300; i++) {
    const account = accountId(i.toString(16).padStart(32, '0'));
    const put = await hear(
      alice.storage,
      { account, known: false },
      { size: 9, root: root(i) },
      now,
    );
    await alice.storage.commit({ put });
  }
  t.equal((await heardSizes(alice.storage)).length, 256);
  const friend = { account: accountId('f'.repeat(32)), known: true };
  t.equal((await hear(alice.storage, friend, { size: 9, root: root(1) }, now)).length, 1);
  await compares(alice);
  t.equal((await heardSizes(alice.storage)).length, 256, 'nobody is looked at');
  await alice.islander.conversations.accept('bob');
  await compares(alice);
  t.equal((await heardSizes(alice.storage)).length, 255);
  await compares(alice, 8 * 24 * hour);
  t.same(await heardSizes(alice.storage), []);
});

t.test(
  'what was seen goes with a text once an hour, when it is new and nobody can tell',
  async (t) => {
    const storage = memoryStorage();
    const [ann, ben] = ['0a', '0b'].map((byte) => accountId(byte.repeat(16))) as [
      AccountId,
      AccountId,
    ];
    const plaintext = { id: root(1).subarray(16), sentAt: 1 };
    // With it, 8,000 bytes of text leave no room for more.
    const attachments = [new Uint8Array(50)];
    const text = (length: number) =>
      ({ ...plaintext, body: { kind: 'text', text: 'x'.repeat(length), attachments } }) as const;
    const sees = (size: number) => {
      const head = { size, root: root(size), epoch: 1, note: '' };
      const bytes = encodeRecord(head);
      return storage.commit({ put: [{ namespace: 'transparency', key: 'head', bytes }] });
    };
    const goes = async (to: AccountId, at: number, length = 5) => {
      const { padded, put } = await telling(storage, to, text(length), at);
      await storage.commit({ put });
      t.equal(padded.length, pad(encodePlaintext(text(length))).length);
      const { body } = decodePlaintext(unpad(padded));
      return body.kind === 'text' ? body.seen?.size : undefined;
    };
    t.equal(await goes(ann, 0), undefined, 'nothing was seen');
    await sees(3);
    t.equal(await goes(ann, 0, 150), undefined, 'it would show');
    t.equal(await goes(ann, 0, 8000), undefined, 'there is no room');
    t.equal(await goes(ann, 1), 3);
    t.equal(await goes(ben, 2), 3, 'each contact has their own hour');
    t.equal(await goes(ann, 2 * hour), undefined, 'it was said');
    await sees(5);
    t.equal(await goes(ann, hour), undefined, 'not yet');
    t.equal(await goes(ann, hour + 1), 5);
    await sees(7);
    t.equal(await goes(ann, 1), 7, 'a clock that was put back does not hold it up');
    const edit = {
      ...plaintext,
      body: { kind: 'edit', id: plaintext.id, revision: 1, text: 'x' },
    } as const;
    const { padded, put } = await telling(storage, ann, edit, 9 * hour);
    t.same(decodePlaintext(unpad(padded)), edit);
    t.same(put, []);
  },
);
