/** What a device that was removed can still make others believe. docs/protocol/archive.md §4 */
import { encodeEntries } from '@island/protocol/crypto/archive-entry.ts';
import { sealSegment } from '@island/protocol/crypto/archive-segment.ts';
import type { DeviceKeys } from '@island/protocol/crypto/device.ts';
import { equal, randomBytes } from '@island/protocol/crypto/primitives.ts';
import t from 'tap';
import { readPin } from '../people/people.ts';
import { memoryStorage } from '../storage/memory.ts';
import { type Home, type OddArchive, oddArchive, stranger } from '../testing/odd-archive.ts';
import { archiveHead, pendingContact, vouchedFor } from './rows.ts';

type Entries = Parameters<typeof encodeEntries>[0];

const bob = stranger('bob');
const evil = stranger('bob');
const contact = { kind: 'contact', list: evil.list.bytes } as const;

/** A segment by the keys of a device, behind what the archive has, as of `listEpoch`. */
function writes(
  { keys, account }: OddArchive,
  writer: DeviceKeys,
  after: { seq: number; hash: Uint8Array },
  listEpoch: number,
  entries: Entries,
): Uint8Array {
  const at = { account, device: writer.device, seq: after.seq + 1, prevHash: after.hash };
  const ark = keys.former[0] ?? keys.ark;
  const { dsk } = writer;
  return sealSegment({ ...at, listEpoch, arkEpoch: 1 }, encodeEntries(entries), { ark, dsk });
}

const pinOf = async ({ storage }: Home) => (await readPin(storage, 'bob')).list;

t.test(
  'A4 pitfall: history after the removal: an island that helps a removed device convinces nobody who knows of it',
  async (t) => {
    const island = oddArchive();
    const one = await island.home(island.add());
    const removed = island.add();
    const two = await island.home(removed);
    const three = await island.home(island.add());
    await one.meets(bob.list);
    await one.hears(bob.list, 'hello');
    await one.archive.flush();
    await three.archive.sync();
    await two.hears(bob.list, 'of the second');
    await two.archive.flush();
    for (const each of [one, two]) await each.archive.sync();
    const vouched = await archiveHead(one.storage);
    const epoch = island.lists.at(-1)?.epoch ?? 0;
    island.remove(removed.device);
    island.rotate();
    for (const each of [one, three]) await each.renew();
    const keys = island.add();
    const text = { kind: 'text', text: 'forged' } as const;
    const said = { direction: 'in', peer: bob.list.account, peerName: 'bob' } as const;
    const at = { id: randomBytes(16), sentAt: 9, receivedAt: 9 };
    const forged = writes(island, removed, vouched, epoch, [
      contact,
      { kind: 'message', ...said, ...at, body: text },
    ]);
    island.segments.push(forged);

    await vouchedFor(three.storage, vouched);
    await three.archive.sync();
    t.same(
      await three.told(),
      ['bob: hello', 'bob: of the second'],
      'what was vouched for is read',
    );
    const four = await island.home(keys, memoryStorage(), vouched);
    await four.archive.sync();
    t.same(await four.told(), ['bob: hello', 'bob: of the second'], 'also by a new device');
    t.ok(equal((await pinOf(four))?.hash ?? new Uint8Array(0), bob.list.hash));
    await three.hears(bob.list, 'goes on');
    await three.archive.flush();
    await four.archive.sync();
    t.equal((await four.told()).at(-1), 'bob: goes on');

    await t.test('and who reads another archive than was vouched for is told', async (t) => {
      const other = { seq: vouched.seq + 1, hash: randomBytes(32) };
      await t.rejects(
        vouchedFor(one.storage, other).then(() => one.archive.sync()),
        {
          code: 'archive_rolled_back',
        },
      );
      await vouchedFor(one.storage, vouched);
      await one.archive.sync();
      t.equal((await one.told()).at(-1), 'bob: goes on', 'and a later record sets it right');
    });
  },
);

t.test(
  'A4 pitfall: contacts outlive the removal: who joins later takes none from a removed device',
  async (t) => {
    const island = oddArchive();
    const one = await island.home(island.add());
    const removed = island.add();
    const two = await island.home(removed);
    await one.meets(bob.list);
    await one.hears(bob.list, 'hello');
    await one.archive.flush();
    await two.archive.sync();
    const epoch = island.lists.at(-1)?.epoch ?? 0;
    const poison = writes(island, removed, await archiveHead(two.storage), epoch, [contact]);
    island.segments.push(poison);
    await one.archive.sync();
    t.ok(equal((await pinOf(one))?.hash ?? evil.list.hash, bob.list.hash), 'who knows better');
    island.remove(removed.device);
    island.rotate();
    await one.renew();
    await one.archive.sync();
    // As the removal does (own-devices.ts).
    await one.storage.commit({ put: [pendingContact(bob.list.account)] });
    await one.archive.flush();
    const three = await island.home(island.add(), memoryStorage(), await archiveHead(one.storage));
    await three.archive.sync();
    t.ok(equal((await pinOf(three))?.hash ?? evil.list.hash, bob.list.hash));
    t.same(await three.told(), ['bob: hello']);
  },
);
