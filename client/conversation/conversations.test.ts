/** Two people talk over an island: what one does is what the other sees, and nobody else is told anything. */
import { decodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { memoryStorage } from '../storage/memory.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person, type TestPerson } from '../testing/person.ts';
import type { Shown, ShownMessage } from './view.ts';

t.setTimeout(180_000);

const told = (shown: readonly Shown[]): string[] =>
  shown.map((each) => {
    if (each.type === 'unreadable') return '?';
    const { direction, text, deleted, edited, reactions, state } = each;
    return [
      direction,
      deleted ? 'gone' : text,
      ...(edited === undefined ? [] : ['*']),
      ...reactions.map(
        ({ emoji, mine, theirs }) => emoji + (mine ? 'm' : '') + (theirs ? 't' : ''),
      ),
      ...(state ? [state] : []),
    ].join(' ');
  });

async function sees(who: TestPerson, other: string, expected: string[]): Promise<void> {
  let now: string[] = [];
  try {
    await eventually(async () => {
      now = told(await who.islander.conversations.view(other));
      return JSON.stringify(now) === JSON.stringify(expected);
    }, 50_000);
  } catch {
    t.same(now, expected, `${who.name} sees`);
  }
}

async function newest(who: TestPerson, other: string): Promise<ShownMessage> {
  const [message] = await who.islander.conversations.view(other, { last: 1 });
  if (message?.type !== 'message') throw new Error('no message');
  return message;
}

/** A clock that a test puts ahead: nothing is over before it says so. */
function clock() {
  const time = { ahead: 0, now: () => Date.now() + time.ahead };
  return time;
}

function online(...people: TestPerson[]): void {
  for (const { islander } of people) {
    islander.startReceiving();
    islander.startSending();
  }
}

t.test('M6: edited, answered, reacted to, taken back: the same on both sides', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  online(alice, bob);
  const [hers, his] = [alice.islander.conversations, bob.islander.conversations];
  t.equal(await hers.standing('bob'), 'open', 'who has written nothing asks for nothing');
  await hers.say('bob', 'helo');
  await sees(bob, 'alice', ['in helo']);
  t.match(await his.list(), [{ name: 'alice', standing: 'request', unread: 1, excerpt: 'helo' }]);

  await hers.edit('bob', (await newest(alice, 'bob')).at, 'hello');
  await sees(bob, 'alice', ['in hello *']);
  await his.say('alice', 'hello yourself', { reply: (await newest(bob, 'alice')).at });
  await sees(alice, 'bob', ['out hello * sent', 'in hello yourself']);
  t.equal((await newest(alice, 'bob')).reply?.excerpt, 'hello');
  t.match(await his.list(), [{ standing: 'open' }]);

  const answer = await newest(alice, 'bob');
  await hers.react('bob', answer.at, '👍', true);
  await sees(bob, 'alice', ['in hello *', 'out hello yourself 👍t sent']);
  await t.rejects(hers.edit('bob', answer.at, 'not what he said'), { code: 'not_yours' });
  await t.rejects(hers.takeBack('bob', answer.at), { code: 'not_yours' });

  // Another client could send them all the same; they mean messages of its own, of which there is none.
  const id = Buffer.from(answer.id, 'hex');
  await alice.islander.act('bob', { kind: 'delete', id });
  await alice.islander.act('bob', { kind: 'edit', id, revision: 9, text: 'forged' });
  await his.takeBack('alice', (await newest(bob, 'alice')).at);
  await sees(alice, 'bob', ['out hello * sent', 'in gone']);
  await sees(bob, 'alice', ['in hello *', 'out gone sent']);
  for (const { storage } of [alice, bob])
    for (const namespace of ['messages', 'acts', 'words', 'words-of']) {
      const rows = await storage.list(namespace);
      t.notOk(rows.some(({ key, bytes }) => `${key}${Buffer.from(bytes)}`.includes('yourself')));
    }
  t.equal((await hers.search('hell')).total, 1);
  t.equal((await hers.search('yourself')).total, 0);
});

t.test(
  'receipts come late, from contacts only, and never from somebody who was asked to talk',
  async (t) => {
    await using island = await oddIsland();
    const time = clock();
    await using alice = await person(island, 'alice', memoryStorage(), time.now);
    await using bob = await person(island, 'bob', memoryStorage(), time.now);
    online(alice, bob);
    const [hers, his] = [alice.islander.conversations, bob.islander.conversations];
    const requests = async () =>
      (await hers.view('bob')).map((each) => each.type === 'message' && (each.request ?? 'none'));
    await hers.say('bob', 'are you there?');
    await sees(bob, 'alice', ['in are you there?']);
    await eventually(async () => (await requests())[0] === 'waits');
    await his.read('alice');
    t.same(await bob.storage.list('receipts-due'), [], 'a request is read without a word');
    await his.accept('alice');
    t.same(await bob.storage.list('receipts-due'), []);

    await hers.say('bob', 'hello?');
    await sees(bob, 'alice', ['in are you there?', 'in hello?']);
    await his.say('alice', 'yes');
    await sees(alice, 'bob', ['out are you there? sent', 'out hello? sent', 'in yes']);
    t.equal((await requests())[0], 'over', 'nothing will ever tell that it came');
    await his.read('alice');
    t.match(
      (await bob.storage.list('receipts-due')).map(({ key }) => key.split(' ')[1]),
      ['read'],
    );
    time.ahead += 31_000;
    // Whatever is committed makes the keeper look at the clock.
    await his.keepDraft('alice', 'and');
    await sees(alice, 'bob', ['out are you there? sent', 'out hello? read', 'in yes']);
    t.same(await his.list().then(([each]) => each?.draft), true);
    await hers.changeSettings({ read: false });
    await sees(alice, 'bob', ['out are you there? sent', 'out hello? delivered', 'in yes']);
  },
);

t.test('what disappears is gone on both sides and in no archive', async (t) => {
  await using island = await oddIsland();
  const [aliceAt, bobAt] = [clock(), clock()];
  await using alice = await person(island, 'alice', memoryStorage(), aliceAt.now);
  await using bob = await person(island, 'bob', memoryStorage(), bobAt.now);
  online(alice, bob);
  const [hers, his] = [alice.islander.conversations, bob.islander.conversations];
  await hers.say('bob', 'hello');
  await sees(bob, 'alice', ['in hello']);
  await his.say('alice', 'hello');
  await hers.setTimer('bob', 120);
  await eventually(async () => (await his.timer('alice')) === 120);
  await his.say('alice', 'secret');
  const key = (await newest(bob, 'alice')).key;
  t.same(await bob.storage.read('archive-pending', key), undefined);
  await eventually(async () => (await newest(alice, 'bob')).text === 'secret', 30_000);
  const { at, timer } = await newest(alice, 'bob');
  t.equal(timer, 120);
  t.same(await alice.storage.read('archive-pending', (await newest(alice, 'bob')).key), undefined);
  await t.rejects(his.edit('alice', (await newest(bob, 'alice')).at, 'x'), {
    code: 'disappears',
  });
  bobAt.ahead += 121_000;
  // Whatever is committed makes the keeper look at the clock.
  await his.keepDraft('alice', 'and');
  await sees(bob, 'alice', ['in hello', 'out hello sent']);
  t.equal((await newest(alice, 'bob')).at, at, 'not read yet');
  await hers.read('bob');
  aliceAt.ahead += 121_000;
  await hers.keepDraft('bob', 'and');
  await sees(alice, 'bob', ['out hello sent', 'in hello']);
  const rows = await Promise.all(
    ['messages', 'words', 'words-of'].map((n) => alice.storage.list(n)),
  );
  t.notOk(rows.flat().some(({ key, bytes }) => `${key}${Buffer.from(bytes)}`.includes('secret')));
});

t.test('blocked: nothing more comes in, and it is shown as such', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  online(alice, bob);
  const [hers, his] = [alice.islander.conversations, bob.islander.conversations];
  await hers.say('bob', 'one');
  await sees(bob, 'alice', ['in one']);
  await his.block('alice');
  await hers.say('bob', 'two');
  await sees(alice, 'bob', ['out one sent', 'out two sent']);
  t.match(await his.list(), [{ standing: 'blocked' }]);
  await t.rejects(his.say('alice', 'three'), { code: 'blocked' });
  await his.unblock('alice');
  await hers.say('bob', 'four');
  await sees(bob, 'alice', ['in one', 'in four']);
  t.match(await his.list(), [{ standing: 'request', unread: 2 }]);
});

t.test('typing is told where both turned it on, and both are contacts', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  online(alice, bob);
  const [hers, his] = [alice.islander.conversations, bob.islander.conversations];
  await hers.say('bob', 'hello');
  await sees(bob, 'alice', ['in hello']);
  await his.say('alice', 'hello');
  await sees(alice, 'bob', ['out hello sent', 'in hello']);
  await hers.typing('bob');
  // A delivery key or a receipt may be on its way.
  const kinds = (await alice.storage.list('outbox')).flatMap(({ bytes }) => {
    const { plaintext } = JSON.parse(Buffer.from(bytes).toString());
    return plaintext ? decodePlaintext(fromBase64url(plaintext)).body.kind : [];
  });
  t.notOk(kinds.includes('typing'), 'off until it is turned on');
  await hers.stopped('bob');
  for (const one of [hers, his]) await one.changeSettings({ typing: true });
  await hers.typing('bob');
  t.match(await bob.event('typing'), { from: 'alice', began: true });
});

t.test(
  'the safety number is the same on both sides; a mark stays with the keys it was made for',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    const [hers, his] = [alice.islander.conversations, bob.islander.conversations];
    const one = await hers.verification('bob');
    const other = await his.verification('alice');
    t.same(one.number, other.number);
    t.equal(one.verified, false);
    t.equal(await hers.scanned('bob', other.code), 'same');
    t.equal((await hers.verification('bob')).verified, true);
    const row = await alice.storage.read('verified', 'bob');
    const { aik, ...rest } = JSON.parse(Buffer.from(row?.bytes ?? []).toString());
    const changed = Buffer.from(
      JSON.stringify({ ...rest, aik: `${aik.startsWith('A') ? 'B' : 'A'}${aik.slice(1)}` }),
    );
    await alice.storage.commit({ put: [{ namespace: 'verified', key: 'bob', bytes: changed }] });
    t.equal((await hers.verification('bob')).verified, false, 'another key than the one compared');
  },
);
