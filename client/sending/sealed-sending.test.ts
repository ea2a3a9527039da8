/** What a sent message costs, whom it lets in, and that our other devices have it: at real services. M2, M6 */
import { decodeSend, type Send } from '@island/protocol/wire/send.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { type Islander, type IslanderEvent, openIslander } from '../islander.ts';
import { recover } from '../joining/recovery.ts';
import { actsAfter } from '../messages/acts.ts';
import { departures } from '../messages/departures.ts';
import { history } from '../messages/history.ts';
import { readContact } from '../people/contacts.ts';
import type { Storage } from '../storage/storage.ts';
import { credentials, type Home, home, registered } from '../testing/member-home.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';

t.setTimeout(240_000);
// Each has an island of its own, and waits most of its time.
t.jobs = 4;

interface Program extends AsyncDisposable {
  storage: Storage;
  islander: Islander;
  events: IslanderEvent[];
  /** Everything that left on the sealed way. */
  sends: Send[];
  says(to: string, ...texts: string[]): Promise<string[]>;
  told(): Promise<string[]>;
}

async function program(island: RealIsland, { storage, platform }: Home): Promise<Program> {
  const events: IslanderEvent[] = [];
  const sends: Send[] = [];
  const watched = {
    ...platform,
    transport: (pinned: Parameters<typeof platform.transport>[0]) => {
      const transport = platform.transport(pinned);
      const send: typeof transport.send = (body, way) => {
        sends.push(decodeSend(body));
        return transport.send(body, way);
      };
      return { ...transport, send };
    },
  };
  const on = (event: IslanderEvent) => void events.push(event);
  const islander = await openIslander({ storage, platform: watched, now: island.clock.now, on });
  islander.startReceiving();
  islander.startSending();
  return {
    storage,
    islander,
    events,
    sends,
    async says(to, ...texts) {
      const keys = await islander.send(to, texts);
      const outcomes: string[] = [];
      for await (const { state, reason } of departures(storage, keys, new AbortController().signal))
        outcomes.push(reason ?? state);
      return outcomes;
    },
    told: async () =>
      (await history(storage)).map((message) =>
        message.type === 'sent'
          ? `you: ${message.text}`
          : `${message.from}: ${message.type === 'message' ? message.text : message.type}`,
      ),
    [Symbol.asyncDispose]: () => islander[Symbol.asyncDispose](),
  };
}

t.test('M2: a stranger pays four tokens, a contact one', { buffered: true }, async (t) => {
  await using island = await realIsland();
  await using alice = await program(island, await registered(island, 'alice'));
  await using bob = await program(island, await registered(island, 'bob'));
  t.same(await alice.says('bob', 'hello'), ['accepted']);
  const [first] = alice.sends;
  t.equal(first?.tokens.length, 4);
  t.equal(first?.key, undefined);
  await eventually(async () => (await bob.told()).length === 1, 30_000);
  t.same(await bob.says('alice', 'hello yourself'), ['accepted']);
  const account = bob.sends[0]?.account;
  if (!account) throw new Error('nothing left');

  await eventually(async () => (await alice.told()).length === 2, 30_000);
  const person = await alice.islander.people.find('bob');
  await eventually(
    async () => (await readContact(alice.storage, person.account)).key !== undefined,
    60_000,
  );
  const before = alice.sends.length;
  t.same(await alice.says('bob', 'cheaper now'), ['accepted']);
  const cheaper = alice.sends.slice(before).find((send) => send.account === person.account);
  t.equal(cheaper?.tokens.length, 1);
  t.equal(cheaper?.key?.length, 16);
  await eventually(async () => (await bob.told()).length === 3, 30_000);
});

t.test(
  'M6: what one device sends is on the others at once, and only once',
  { buffered: true },
  async (t) => {
    await using island = await realIsland();
    const first = await registered(island, 'alice');
    await using bob = await program(island, await registered(island, 'bob'));
    await using alice = await program(island, first);
    const fresh = home(island);
    await recover(fresh.joining, island.recoverLink('alice'), {
      credentials,
      code: first.codes[0] ?? '',
    });
    await using second = await program(island, fresh);
    t.same(await alice.says('bob', 'from the first'), ['accepted']);
    await eventually(async () => (await second.told()).length === 1, 30_000);
    t.same(await second.told(), ['you: from the first']);
    t.same(await second.says('bob', 'from the second'), ['accepted']);
    await eventually(async () => (await alice.told()).length === 2, 30_000);
    t.same(await alice.told(), ['you: from the first', 'you: from the second']);
    await eventually(async () => (await bob.told()).length === 2, 30_000);
    t.same(await bob.says('alice', 'to both'), ['accepted']);
    for (const device of [alice, second]) {
      await eventually(async () => (await device.told()).length === 3, 30_000);
      t.same((await device.told()).at(-1), 'bob: to both');
    }
    const own = second.islander.account.account;
    const synced = second.sends.filter((send) => send.account === own);
    t.ok(synced.length > 0);
    for (const { envelopes } of synced) {
      t.same(envelopes.map(({ device }) => device).sort(), [1, 2], 'the sending device is covered');
      t.equal(
        new Set(envelopes.map(({ body }) => body.length)).size,
        1,
        'and looks like the other',
      );
    }
    await second.islander.archive.sync();
    t.equal((await second.told()).length, 3, 'the archive brings nothing twice');
  },
);

t.test(
  'a person who is blocked reaches nobody, and our other devices know',
  { buffered: true },
  async (t) => {
    await using island = await realIsland();
    const first = await registered(island, 'alice');
    await using alice = await program(island, first);
    await using bob = await program(island, await registered(island, 'bob'));
    await alice.says('bob', 'hello');
    await eventually(async () => (await bob.told()).length === 1, 30_000);
    const { account } = await bob.islander.people.find('alice');
    await eventually(
      async () => (await readContact(bob.storage, account)).key !== undefined,
      60_000,
    );
    await alice.islander.decide('bob', 'blocked');
    await t.rejects(alice.islander.send('bob', ['x']), { code: 'blocked' });
    await eventually(async () => {
      const place = await alice.storage.read('delivery-key', 'own');
      return (
        place !== undefined &&
        /"epoch":2.*"registered":true/.test(Buffer.from(place.bytes).toString())
      );
    }, 30_000);
    t.same(await bob.says('alice', 'are you there?'), ['accepted']);
    t.equal(bob.sends.at(-1)?.key, undefined, 'the key that he had is good no more');
    t.equal(bob.sends.at(-1)?.tokens.length, 4);
    await alice.islander.decide('bob', 'unblocked');
    await bob.says('alice', 'and now?');
    await eventually(async () => (await alice.told()).includes('bob: and now?'), 30_000);
    t.same(await alice.told(), ['you: hello', 'bob: and now?']);
    t.same(
      (await actsAfter(alice.storage)).flatMap(({ body }) =>
        body.kind === 'contact' ? body.state : [],
      ),
      ['blocked', 'unblocked'],
    );
  },
);

t.test(
  'M6: a delivery key that another device has changed costs few tokens and stops nothing',
  { buffered: true },
  async (t) => {
    await using island = await realIsland();
    const first = await registered(island, 'alice');
    await using bob = await program(island, await registered(island, 'bob'));
    await using _carol = await program(island, await registered(island, 'carol'));
    await using alice = await program(island, first);
    const fresh = home(island);
    const code = first.codes[0] ?? '';
    await recover(fresh.joining, island.recoverLink('alice'), { credentials, code });
    await using second = await program(island, fresh);
    await alice.says('bob', 'hello');
    await eventually(async () => (await second.told()).length === 1, 30_000);
    const own = second.islander.account.account;
    const key = async () =>
      Buffer.from((await second.storage.read('delivery-key', 'own'))?.bytes ?? []).toString();
    await eventually(async () => (await key()).includes('"registered":true'), 30_000);
    const before = await key();
    await alice.islander.decide('bob', 'blocked');
    await eventually(async () => {
      const place = await alice.storage.read('delivery-key', 'own');
      return /"epoch":[2-9].*"registered":true/.test(Buffer.from(place?.bytes ?? []).toString());
    }, 30_000);
    const since = second.sends.length;
    t.same(await second.says('carol', 'still here'), ['accepted']);
    await eventually(async () => (await alice.told()).includes('you: still here'), 30_000);
    const synced = second.sends.slice(since).filter(({ account }) => account === own);
    const spent = new Set(
      synced.flatMap(({ tokens }) => tokens.map(({ input }) => Buffer.from(input).toString('hex'))),
    );
    t.ok(synced.length <= 4, `${synced.length} sends to the own devices`);
    // Until the new key is known each of them costs what a stranger pays.
    t.ok(spent.size <= 4 * synced.length, `${spent.size} tokens`);
    await eventually(
      async () => (await key()) !== before && (await key()).includes('"registered":true'),
      30_000,
    );
    t.same(await bob.told(), ['alice: hello']);
  },
);
