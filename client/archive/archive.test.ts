/** Homes of one account that share a history through the archive. docs/protocol/archive.md §5 */
import { decodeEntries, encodeEntries } from '@island/protocol/crypto/archive-entry.ts';
import { openSegment, readSegment, sealSegment } from '@island/protocol/crypto/archive-segment.ts';
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { keysRow } from '../account/account-keys.ts';
import { arrivals } from '../messages/arrivals.ts';
import { unshown } from '../messages/messages.ts';
import { personRows, readPin } from '../people/people.ts';
import { memoryStorage } from '../storage/memory.ts';
import type { Storage } from '../storage/storage.ts';
import { type Home, type OddArchive, oddArchive, stranger } from '../testing/odd-archive.ts';
import { archiveHead, hasPending, noHead } from './rows.ts';

const bob = stranger('bob').list;
const carol = stranger('carol').list;

/** How many entries the archive holds, segment by segment. */
const entriesOf = (island: OddArchive): number[] =>
  island.segments.map((bytes) => {
    const segment = readSegment(bytes);
    const { devices } = island.lists[segment.listEpoch - 1] ?? { devices: [] };
    const writer = devices.find(({ device }) => device === segment.device);
    const { ark, former } = island.keys;
    const key = [...former, ark][segment.arkEpoch - 1] ?? ark;
    return decodeEntries(openSegment(segment, writer?.dsk ?? new Uint8Array(32), key)).entries
      .length;
  });

async function twoHomes(): Promise<{ island: OddArchive; one: Home; two: Home }> {
  const island = oddArchive();
  const first = island.add();
  const second = island.add();
  return {
    island,
    one: await island.home(first),
    two: await island.home(second, undefined, noHead),
  };
}

t.test('A3: what one device sent and received is on the other, and nothing twice', async (t) => {
  const { island, one, two } = await twoHomes();
  await one.hears(bob, 'hello');
  await one.says(bob, 'hi');
  await one.archive.flush();
  t.equal(island.segments.length, 1);
  t.notOk(await one.archive.pending());
  t.equal(await two.archive.sync(), 2);
  t.same(await two.told(), ['bob: hello', 'to bob: hi']);
  const [, sent] = await two.history();
  t.match(sent, { type: 'sent', state: 'accepted', elsewhere: true });
  await two.says(carol, 'and you?');
  await two.archive.flush();
  await one.archive.sync();
  t.same(await one.told(), ['bob: hello', 'to bob: hi', 'to carol: and you?']);
  t.equal(await one.archive.sync(), 0);
  t.equal(await two.archive.sync(), 0);
  t.same(await archiveHead(one.storage), await archiveHead(two.storage));
});

t.test(
  'A3: the history of a new device was shown elsewhere; what comes later was not',
  async (t) => {
    const { one, two } = await twoHomes();
    await one.hears(bob, 'old');
    await one.archive.flush();
    await two.archive.sync();
    t.same(await unshown(two.storage), []);
    await one.hears(bob, 'new');
    await one.says(bob, 'mine');
    await one.archive.flush();
    await two.archive.sync();
    const history = await two.history();
    t.same(
      await unshown(two.storage),
      history.flatMap((each) => (each.type === 'message' && each.text === 'new' ? each.key : [])),
      'and what this person wrote needs no showing',
    );
  },
);

t.test('one message that came to both devices is archived once and shown once', async (t) => {
  const { island, one, two } = await twoHomes();
  const id = await one.hears(bob, 'to both');
  await two.hears(bob, 'to both', id);
  await one.archive.flush();
  await two.archive.flush();
  t.same(entriesOf(island), [1], 'the second finds it there');
  t.notOk(await two.archive.pending());
  t.same(await two.told(), ['bob: to both']);
});

t.test(
  'the same id from another person, or in the other direction, is another message',
  async (t) => {
    const { one, two } = await twoHomes();
    const id = await one.hears(bob, 'from bob');
    await one.hears(carol, 'from carol', id);
    await one.archive.flush();
    await two.archive.sync();
    t.same(await two.told(), ['bob: from bob', 'carol: from carol']);
  },
);

t.test('two devices that write at once take turns', async (t) => {
  const { island, one, two } = await twoHomes();
  for (let round = 0; round < 5; round++) {
    await Promise.all([
      one.hears(bob, `one ${round}`).then(() => one.archive.flush()),
      two.hears(carol, `two ${round}`).then(() => two.archive.flush()),
    ]);
  }
  await Promise.all([one.archive.sync(), two.archive.sync()]);
  t.same((await one.told()).sort(), (await two.told()).sort());
  t.equal((await one.told()).length, 10);
  t.equal(
    entriesOf(island).reduce((sum, count) => sum + count, 0),
    10,
  );
});

t.test('a long history goes into several segments, and says how far its reading is', async (t) => {
  const { island, one, two } = await twoHomes();
  for (let i = 0; i < 40; i++) await one.hears(bob, `${i} ${'x'.repeat(7_000)}`);
  await one.archive.flush();
  t.ok(island.segments.length > 5);
  const progress: { read: number; of: number; messages: number }[] = [];
  t.equal(await two.archive.sync(undefined, (each) => progress.push(each)), 40);
  t.same(await two.told(), await one.told(), 'in their order');
  t.match(progress.at(-1), { read: island.segments.length, of: island.segments.length });
  t.match(progress.at(-1), { messages: 40 });
  t.ok(progress.length > 1);
});

t.test(
  'pins survive: whom one device has met the other knows, and takes what follows',
  async (t) => {
    const { one, two } = await twoHomes();
    await one.meets(bob);
    await one.archive.flush();
    await two.archive.sync();
    t.same((await readPin(two.storage, 'bob')).list?.hash, bob.hash);
    const impostor = stranger('bob').list;
    await one.meets(impostor);
    await one.archive.flush();
    await two.archive.sync();
    t.same(
      (await readPin(two.storage, 'bob')).list?.hash,
      bob.hash,
      'a pin of its own gives way to nobody without a person',
    );
  },
);

t.test(
  'pitfall: archived before acknowledged: a home from before has all of it to archive',
  async (t) => {
    const { island, one, two } = await twoHomes();
    const append = ['a', 'b'].map((text) => ({
      namespace: 'messages',
      bytes: new TextEncoder().encode(
        JSON.stringify({
          type: 'message',
          id: text.repeat(32),
          from: 'bob',
          text,
          sentAt: 1,
          receivedAt: 1,
        }),
      ),
    }));
    await one.storage.commit({ append, put: personRows(bob) });
    await one.archive.flush();
    await two.archive.sync();
    t.same(await two.told(), ['bob: a', 'bob: b']);
    t.same(entriesOf(island), [3], 'bob himself, too');
  },
);

t.test(
  'A4: a removed device is shut out: the next segment names the list without it',
  async (t) => {
    const { island, one, two } = await twoHomes();
    await two.archive.sync();
    await two.hears(bob, 'before');
    await two.archive.flush();
    await one.archive.sync();
    island.remove(two.keys.device);
    island.rotate();
    await one.renew();
    await one.archive.sync();
    t.same(entriesOf(island), [1, 0], 'nothing was to be archived: a fence');
    await one.archive.sync();
    t.equal(island.segments.length, 2, 'one is enough');
    const [former] = island.keys.former;
    const { seq, hash } = await archiveHead(one.storage);
    const { account, device, dsk } = two.keys;
    const head = { account, device, seq: seq + 1, prevHash: hash, listEpoch: 2, arkEpoch: 1 };
    const keys = { ark: former ?? new Uint8Array(32), dsk };
    island.segments.push(sealSegment(head, encodeEntries([]), keys));
    await t.rejects(one.archive.sync(), { code: 'archive_forged' });
    t.same(await archiveHead(one.storage), { seq, hash });
  },
);

t.test(
  'a device that has not heard of a rotation yet is brought up to date by what it reads',
  async (t) => {
    const { island, one, two } = await twoHomes();
    island.rotate();
    await one.renew();
    await one.hears(bob, 'under the new key');
    await one.archive.flush();
    await two.archive.sync();
    t.same(await two.told(), ['bob: under the new key']);
  },
);

t.test(
  'a device that has read everything, but not heard of a rotation, writes under the new key',
  async (t) => {
    const { island, one, two } = await twoHomes();
    island.rotate();
    await one.renew();
    await one.hears(bob, 'first');
    await one.archive.flush();
    // Read, and the keys lost: as after a home was put back from a copy.
    const keys = island.keys;
    await two.archive.sync();
    const { ark, ...rest } = keys;
    const before = { ...rest, ark: keys.former[0] ?? ark, arkEpoch: 1, former: [] };
    await two.storage.commit({ put: [keysRow(before)] });
    await two.hears(carol, 'second');
    await two.archive.flush();
    t.same(
      island.segments.map((bytes) => readSegment(bytes).arkEpoch),
      [2, 2],
    );
    t.same(island.offered.length, 3);
  },
);

t.test('A4: a segment that was made under a key of before is not sent under it', async (t) => {
  const { island, one } = await twoHomes();
  await one.archive.sync();
  await one.hears(bob, 'secret');
  island.twist.before = (route) => {
    if (route === 'archiveAppend') throw new Fault('unavailable');
  };
  await t.rejects(one.archive.flush(), { code: 'unavailable' });
  island.rotate();
  await one.renew();
  island.twist = {};
  await one.archive.flush();
  t.same(
    island.segments.map((bytes) => readSegment(bytes).arkEpoch),
    [2],
  );
  t.same(entriesOf(island), [1]);
});

class Crash extends Error {}

/** A storage whose commits end with the process at a chosen step, done or not. */
function fragile(storage: Storage, step: () => void): Storage {
  return {
    ...storage,
    async commit(batch) {
      step();
      const done = await storage.commit(batch);
      step();
      return done;
    },
  };
}

t.test(
  'pitfall: crash between any two steps: sent again as it was, settled once, nothing lost',
  async (t) => {
    for (let at = 1, crashed = true; crashed; at++) {
      const island = oddArchive();
      const keys = island.add();
      const other = await island.home(island.add(), undefined, noHead);
      const storage = memoryStorage();
      const one = await island.home(keys, storage);
      await one.hears(bob, 'first');
      await one.meets(bob);
      await other.hears(carol, 'from the other');
      await other.archive.flush();
      crashed = false;
      let steps = 0;
      const step = (): void => {
        steps += 1;
        if (steps !== at) return;
        crashed = true;
        throw new Crash();
      };
      island.twist = {
        before: (route) => {
          if (route === 'archiveAppend') step();
        },
        after: (route) => {
          if (route !== 'archiveAppend') return;
          step();
        },
      };
      const fallible = one.reopened(fragile(storage, step));
      if (at > 1) await fallible.archive.sync().catch(crashOnly);
      await fallible.archive.flush().catch(crashOnly);
      island.twist = {};
      const again = one.reopened();
      await again.archive.flush();
      await other.archive.sync();
      t.same(
        (await again.told()).sort(),
        ['bob: first', 'carol: from the other'],
        `crash at ${at}`,
      );
      t.same((await other.told()).sort(), (await again.told()).sort());
      t.notOk(await hasPending(storage));
      t.same(entriesOf(island), [1, 2], 'every entry once');
      t.ok(at < 40);
    }
    function crashOnly(error: unknown): void {
      if (!(error instanceof Crash)) throw error;
    }
  },
);

t.test('an answer that was lost, and others behind it: nothing is written again', async (t) => {
  const { island, one, two } = await twoHomes();
  await one.hears(bob, 'once');
  await one.meets(carol);
  island.twist.after = (route) => {
    if (route === 'archiveAppend') throw new Fault('unavailable');
  };
  await t.rejects(one.archive.flush(), { code: 'unavailable' });
  await t.rejects(one.archive.flush(), { code: 'unavailable' });
  t.same(island.offered[0], island.offered[1], 'the very same bytes');
  island.twist = {};
  await two.hears(carol, 'behind it');
  await two.archive.flush();
  await one.hears(bob, 'later');
  await one.archive.flush();
  t.same(entriesOf(island), [2, 1, 1]);
  await two.archive.sync();
  t.same((await one.told()).sort(), (await two.told()).sort());
});

t.test(
  'A4: an archive is closed to a device that came and went without writing in it',
  async (t) => {
    const { island, one, two } = await twoHomes();
    island.remove(two.keys.device);
    await one.renew();
    await one.archive.sync();
    t.same(entriesOf(island), [0]);
    await one.archive.sync();
    t.equal(island.segments.length, 1);
  },
);

t.test('a program that listens while a new device reads shows what comes later only', async (t) => {
  const { one, two } = await twoHomes();
  await one.hears(bob, 'old');
  await one.archive.flush();
  const shown: string[] = [];
  const listening = (async () => {
    const most = () => 1 - shown.length;
    for await (const group of arrivals(two.storage, new AbortController().signal, { most }))
      for (const arrival of group) shown.push(arrival.type === 'message' ? arrival.text : '');
  })();
  await two.archive.sync();
  await one.hears(bob, 'new');
  await one.archive.flush();
  await two.archive.sync();
  await listening;
  t.same(shown, ['new']);
});

t.test('two programs of one home write one archive', async (t) => {
  const { island, one, two } = await twoHomes();
  const other = one.reopened();
  for (let i = 0; i < 20; i++) await one.hears(bob, `${i}`);
  await Promise.all([one.archive.flush(), other.archive.flush(), other.archive.sync()]);
  t.same(entriesOf(island), [20]);
  t.equal(await two.archive.sync(), 20);
});

t.test('a first reading takes pins in their order, as another device came to them', async (t) => {
  const { island, one, two } = await twoHomes();
  await one.meets(bob);
  await one.archive.flush();
  const third = await island.home(island.add(), undefined, noHead);
  await third.renew();
  await two.renew();
  await two.archive.sync();
  const aik = ed25519.generate();
  const replace = { aik: aik.public, how: 'reset' } as const;
  const joined = createDevice({ account: bob.account, device: deviceId(2) });
  const devices = [signDeviceCert(joined, aik.public, 2)];
  const anew = openDeviceList(signDeviceList(nextDeviceList(bob, { devices, replace }, 2), aik));
  await one.meets(anew);
  await one.archive.flush();
  await two.archive.sync();
  await third.archive.sync();
  t.same((await readPin(third.storage, 'bob')).list?.hash, anew.hash, 'accepted by its person');
  t.same((await readPin(two.storage, 'bob')).list?.hash, bob.hash, 'to be accepted here, too');
  await one.meets(bob);
  await one.archive.flush();
  await third.archive.sync();
  t.same((await readPin(third.storage, 'bob')).list?.hash, anew.hash, 'and nothing goes back');
});
