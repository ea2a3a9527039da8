/** Two homes of one account at real services: each has a mailbox, both have one history. docs/protocol/archive.md §5 */
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { revokeDevice } from '../account/own-devices.ts';
import { type Islander, type IslanderEvent, openIslander } from '../islander.ts';
import { recover } from '../joining/recovery.ts';
import { departures } from '../messages/departures.ts';
import { history } from '../messages/history.ts';
import { unshown } from '../messages/messages.ts';
import { readPin } from '../people/people.ts';
import type { Storage } from '../storage/storage.ts';
import { credentials, type Home, home, registered } from '../testing/member-home.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';
import { archiveHead, hasPending } from './rows.ts';

t.setTimeout(240_000);

interface Program extends AsyncDisposable {
  storage: Storage;
  islander: Islander;
  events: IslanderEvent[];
  says(to: string, ...texts: string[]): Promise<void>;
  told(): Promise<string[]>;
  /** Resolves when the history has so many messages. */
  has(count: number): Promise<string[]>;
}

async function program(island: RealIsland, { storage, platform }: Home): Promise<Program> {
  const events: IslanderEvent[] = [];
  const on = (event: IslanderEvent) => void events.push(event);
  const islander = await openIslander({ storage, platform, now: island.clock.now, on });
  const told = async () =>
    (await history(storage)).map((message) =>
      message.type === 'sent' ? `you: ${message.text}` : spoken(message),
    );
  return {
    storage,
    islander,
    events,
    told,
    async says(to, ...texts) {
      const keys = await islander.send(to, texts);
      islander.startSending();
      for await (const { state, reason } of departures(storage, keys, new AbortController().signal))
        if (state !== 'accepted') throw new Error(reason);
    },
    async has(count) {
      islander.startReceiving();
      await eventually(async () => (await told()).length >= count, 30_000);
      return told();
    },
    [Symbol.asyncDispose]: () => islander[Symbol.asyncDispose](),
  };
}

const spoken = (message: { type: string; from?: string | undefined; text?: string }): string =>
  `${message.from}: ${message.text ?? message.type}`;

t.test(
  'A3: a code brings the whole history to a fresh home, and both homes go on as one',
  async (t) => {
    await using island = await realIsland();
    const first = await registered(island, 'alice');
    await using bob = await program(island, await registered(island, 'bob'));
    {
      await using alice = await program(island, first);
      await bob.says('alice', 'one', 'two');
      t.same(await alice.has(2), ['bob: one', 'bob: two']);
      await alice.says('bob', 'three');
      await bob.has(3);
    }
    t.notOk(await hasPending(first.storage), 'a command that ends leaves nothing behind');

    const fresh = home(island);
    const code = first.codes[3] ?? '';
    await recover(fresh.joining, island.recoverLink('alice'), { credentials, code });
    await using second = await program(island, fresh);
    t.equal(await second.islander.archive.sync(), 3);
    t.same(await second.told(), ['bob: one', 'bob: two', 'you: three']);
    t.same(await unshown(second.storage), []);
    t.ok((await readPin(second.storage, 'bob')).list, 'bob is pinned');

    await using alice = await program(island, first);
    alice.islander.startReceiving();
    second.islander.startReceiving();
    await second.says('bob', 'four');
    await bob.says('alice', 'five', 'six');
    t.same((await bob.has(6)).length, 6);
    const expected = ['bob: five', 'bob: one', 'bob: six', 'bob: two', 'you: four', 'you: three'];
    await second.has(6);
    await second.islander.archive.flush();
    await alice.islander.archive.sync();
    t.same((await alice.told()).sort(), expected, 'each through its mailbox or the archive, once');
    t.same((await second.told()).sort(), expected);
    await eventually(async () => !(await hasPending(alice.storage)));
    t.notOk(alice.events.concat(second.events).some(({ type }) => type === 'unarchived'));
  },
);

t.test(
  'A4: a revoked device is fenced out of the archive, and reads nothing behind the fence',
  async (t) => {
    await using island = await realIsland();
    const first = await registered(island, 'alice');
    const fresh = home(island);
    const [code = ''] = first.codes;
    await recover(fresh.joining, island.recoverLink('alice'), { credentials, code });
    await using second = await program(island, fresh);
    await second.islander.archive.sync();
    await using alice = await program(island, first);
    const before = await archiveHead(first.storage);
    await revokeDevice(first.keeping, 2, alice.islander.archive);
    const { seq } = await archiveHead(first.storage);
    t.equal(seq, before.seq + 1, 'a fence');
    await t.rejects(second.islander.archive.sync(), { code: 'signed_out' });
  },
);

t.test('A3: a long history comes back whole', async (t) => {
  await using island = await realIsland();
  const first = await registered(island, 'alice');
  await using _bob = await program(island, await registered(island, 'bob'));
  const texts = Array.from({ length: 120 }, (_, i) => `${i} ${'é'.repeat(i * 30)}`);
  {
    await using alice = await program(island, first);
    await alice.says('bob', ...texts);
  }
  const fresh = home(island);
  const [code = ''] = first.codes;
  await recover(fresh.joining, island.recoverLink('alice'), { credentials, code });
  await using second = await program(island, fresh);
  t.equal(await second.islander.archive.sync(), texts.length);
  t.same(
    await second.told(),
    texts.map((text) => `you: ${text}`),
  );
});
