/** An island that changes the archive is refused by name, and nothing of what it shows is used. docs/protocol/archive.md §4 */
import { encodeEntries } from '@island/protocol/crypto/archive-entry.ts';
import { readSegment, sealSegment } from '@island/protocol/crypto/archive-segment.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import t from 'tap';
import {
  type Home,
  type OddArchive,
  oddArchive,
  stranger,
  type Twist,
} from '../testing/odd-archive.ts';
import { archiveHead, type Head, noHead, vouchedFor } from './rows.ts';

const bob = stranger('bob').list;

/** An account with five segments in its archive, all from its first device, and a second that has read `known` of them. */
async function filled(known: number): Promise<{ island: OddArchive; one: Home; two: Home }> {
  const island = oddArchive();
  const first = island.add();
  const second = island.add();
  const one = await island.home(first);
  const two = await island.home(second, undefined, noHead);
  for (let i = 1; i <= 5; i++) {
    await one.hears(bob, `message ${i}`);
    await one.archive.flush();
    if (i === known) await two.archive.sync();
  }
  return { island, one, two };
}

const read = (segments: (all: Uint8Array[]) => Uint8Array[]): Twist => ({ read: segments });
const swapped = (all: Uint8Array[]): Uint8Array[] =>
  [all[1], all[0], ...all.slice(2)].flatMap((x) => x ?? []);

const cases: [string, string, (island: OddArchive) => Twist][] = [
  ['drops a segment', 'archive_broken', () => read((all) => all.slice(1))],
  [
    'drops one in the middle',
    'archive_broken',
    () => read((all) => [...all.slice(0, 1), ...all.slice(2)]),
  ],
  ['gives them in another order', 'archive_broken', () => read(swapped)],
  ['gives one twice', 'archive_broken', () => read((all) => [...all.slice(0, 1), ...all])],
  ['keeps them back', 'archive_broken', () => read(() => [])],
  ['shortens one', 'archive_broken', () => read((all) => all.map((bytes) => bytes.slice(0, -1)))],
  ['changes a bit', 'archive_forged', () => read((all) => all.map(flipped))],
  [
    'gives those of another account',
    'archive_broken',
    (island) => read((all) => all.map((bytes) => ofAnother(island, bytes))),
  ],
  [
    'says that there are fewer',
    'archive_rolled_back',
    () => ({ head: () => ({ seq: 1, hash: randomBytes(32) }) }),
  ],
  ['says that there are none', 'archive_rolled_back', () => ({ head: () => noHead })],
];

const flipped = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, i) => (i === bytes.length - 100 ? byte ^ 1 : byte));

function ofAnother(island: OddArchive, bytes: Uint8Array): Uint8Array {
  const other = oddArchive();
  const { device, seq, prevHash, listEpoch, arkEpoch } = readSegment(bytes);
  const { account, dsk } = other.add();
  const head = { account, device, seq, prevHash, listEpoch, arkEpoch };
  return sealSegment(head, encodeEntries([]), { ark: island.keys.ark, dsk });
}

for (const [what, code, twist] of cases) {
  t.test(`pitfall: archive tampering: an island that ${what} is refused`, async (t) => {
    const { island, one, two } = await filled(2);
    const before = { told: await two.told(), head: await archiveHead(two.storage) };
    island.twist = twist(island);
    await t.rejects(two.archive.sync(), { code });
    t.same(await two.told(), before.told, 'nothing of it was imported');
    t.same(await archiveHead(two.storage), before.head);
    island.twist = {};
    await two.archive.sync();
    t.same(await two.told(), await one.told(), 'an island that is honest again is read on');
  });
}

t.test(
  'pitfall: archive tampering: another segment in the place of a known one is refused',
  async (t) => {
    const { island, one, two } = await filled(5);
    const forked = island.segments.slice(0, 4);
    const keys = { ark: island.keys.ark, dsk: one.keys.dsk };
    const prevHash = readSegment(forked[3] ?? new Uint8Array(0)).hash;
    const { account, device } = one.keys;
    const head = { account, device, seq: 5, prevHash, listEpoch: 2, arkEpoch: 1 };
    forked.push(sealSegment(head, encodeEntries([]), keys));
    island.segments = forked;
    await t.rejects(two.archive.sync(), { code: 'archive_rolled_back' });
    island.twist.head = (seen) => ({ ...seen, seq: 6 });
    await t.rejects(
      two.archive.sync(),
      { code: 'archive_broken' },
      'nor is one that says there are more',
    );
  },
);

t.test(
  'pitfall: rollback of the archive: a new device refuses less than its keys vouch for',
  async (t) => {
    const { island, one } = await filled(5);
    const known = await archiveHead(one.storage);
    const whole = island.segments;
    const fresh = async (head: Head): Promise<Home> => {
      const home = await island.home(island.add(), undefined, head);
      await one.renew();
      return home;
    };
    island.segments = whole.slice(0, 4);
    const short = await fresh(known);
    await t.rejects(short.archive.sync(), { code: 'archive_rolled_back' });
    await t.rejects(
      short.archive.flush(),
      { code: 'archive_rolled_back' },
      'and writes nothing behind it',
    );
    t.same(await short.told(), []);
    island.segments = whole;
    t.equal(await short.archive.sync(), 5);
    const other = await fresh({ ...known, hash: randomBytes(32) });
    await t.rejects(other.archive.sync(), { code: 'archive_rolled_back' });
    t.same(await other.told(), []);
  },
);

t.test(
  'pitfall: rollback of the archive: what a later record vouches for counts, too',
  async (t) => {
    const { island, one, two } = await filled(2);
    await vouchedFor(two.storage, await archiveHead(one.storage));
    island.segments = island.segments.slice(0, 3);
    await t.rejects(two.archive.sync(), { code: 'archive_rolled_back' });
    const { seq } = await archiveHead(two.storage);
    await t.rejects(vouchedFor(two.storage, { seq, hash: randomBytes(32) }), {
      code: 'archive_rolled_back',
    });
  },
);

t.test(
  'pitfall: ghost device: a segment by a device that the list of its epoch does not have',
  async (t) => {
    const { island, two } = await filled(5);
    const { hash, seq } = await archiveHead(two.storage);
    const { account } = island;
    const { dsk } = oddArchive().add();
    for (const [device, listEpoch] of [
      [3, 2],
      [2, 1],
      [1, 2],
      [1, 9],
    ] as const) {
      const head = { account, device, seq: seq + 1, prevHash: hash, listEpoch, arkEpoch: 1 };
      const keys = { ark: island.keys.ark, dsk };
      const forged = sealSegment(
        { ...head, device: head.device as never },
        encodeEntries([]),
        keys,
      );
      const honest = island.segments;
      island.segments = [...honest, forged];
      await t.rejects(two.archive.sync(), { code: 'archive_forged' });
      island.segments = honest;
    }
  },
);

t.test(
  'pitfall: rollback of DeviceList: a list of before that is not the one of then is refused',
  async (t) => {
    const island = oddArchive();
    const one = await island.home(island.add());
    await one.hears(bob, 'hello');
    await one.archive.flush();
    const two = await island.home(island.add(), undefined, noHead);
    const { lists } = island;
    island.lists = [...oddArchive().lists, ...lists.slice(1)];
    await t.rejects(two.archive.sync(), { code: 'own_list_broken' });
    island.lists = lists;
    t.equal(await two.archive.sync(), 1);
  },
);

t.test(
  'pitfall: archive tampering: an island that says that others wrote has to show what',
  async (t) => {
    const { island, two } = await filled(5);
    await two.hears(bob, 'mine');
    island.twist.before = (route) => {
      if (route === 'archiveAppend') throw new Fault('archive_moved', { seq: 9 });
    };
    await t.rejects(two.archive.flush(), { code: 'archive_broken' });
    island.twist = {};
    await two.archive.flush();
    t.equal(island.segments.length, 6);
  },
);

t.test(
  'pitfall: archive tampering: an island that says that it has what it has not is found out',
  async (t) => {
    const { island, two } = await filled(5);
    await two.hears(bob, 'mine');
    await two.archive.flush();
    island.segments = island.segments.slice(0, 5);
    await t.rejects(two.archive.sync(), { code: 'archive_rolled_back' });
  },
);
