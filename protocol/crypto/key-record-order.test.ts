/** How one key record follows another, and what a code says about both. docs/protocol/keys.md §6, §7 */
import t from 'tap';
import { SampleAccount } from '../vectors/sample-account.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { limits } from '../wire/limits.ts';
import { openKeyRecord } from './key-record.ts';
import {
  checkAnchor,
  checkNewerRecord,
  checkRecordList,
  checkRecordSuccessor,
  codesAnew,
} from './key-record-order.ts';
import { openCodeSlot } from './key-slots.ts';

const random = seededRandom('key-record-order.test');
const broken = { name: 'Fault', code: 'record_broken' };
const stale = { name: 'Fault', code: 'stale_record' };
const changed = { name: 'Fault', code: 'identity_changed' };

t.test('A3: the next record keeps the archive key or brings the next one', async (t) => {
  const ann = new SampleAccount(random);
  const first = ann.record({});
  const same = ann.nextRecord(first);
  const rotated = ann.rotated(same);
  for (const [before, next] of [
    [first, same],
    [same, rotated],
  ] as const) {
    t.doesNotThrow(() => checkRecordSuccessor(before.opened, next.opened));
    t.doesNotThrow(() => checkNewerRecord(before.opened, next.opened));
  }
  t.doesNotThrow(() => checkNewerRecord(first.opened, rotated.opened), 'with one unseen between');
  t.doesNotThrow(() => checkNewerRecord(first.opened, first.opened), 'the known one');
  t.throws(() => checkRecordSuccessor(first.opened, rotated.opened), broken);
});

t.test(
  'pitfall: rollback of the slot list: an older record, or another of one version, is refused',
  async (t) => {
    const ann = new SampleAccount(random);
    const codes = await ann.makeCodes(2);
    const first = ann.record({ slots: codes.map(({ keys }) => ann.slotOf(keys)) });
    const second = ann.rotated(first, { slots: first.opened.slots.slice(1) });
    const fork = ann.rotated(first);
    const third = ann.nextRecord(second);
    for (const check of [checkRecordSuccessor, checkNewerRecord]) {
      t.throws(() => check(second.opened, first.opened), stale);
      t.throws(() => check(third.opened, first.opened), stale);
      t.throws(() => check(fork.opened, third.opened), broken, 'another past');
    }
    t.throws(() => checkRecordSuccessor(second.opened, second.opened), stale);
    t.throws(() => checkRecordSuccessor(second.opened, fork.opened), stale);
    t.throws(() => checkNewerRecord(second.opened, fork.opened), broken);
  },
);

t.test('a record in which anything falls or jumps does not follow', async (t) => {
  const ann = new SampleAccount(random);
  const one = ann.record({});
  ann.change({ name: 'ann.b' });
  const before = ann.rotated(one);
  const { ark, former } = before.parts;
  const jump = ann.nextRecord(before, { arkEpoch: 4, former: [...former, ark, random(32)] });
  const forgets = ann.nextRecord(before, { firstEpoch: 2, former: [] });
  const fell = ann.nextRecord(before, { arkEpoch: 1, former: [] });
  const oldList = ann.nextRecord(before, { list: ann.lists[0] ?? ann.list });
  const another = new SampleAccount(random).nextRecord(before);
  for (const next of [jump, forgets, fell, oldList, another]) {
    t.throws(() => checkRecordSuccessor(before.opened, next.opened), broken);
  }
  for (const next of [forgets, fell, oldList, another]) {
    t.throws(() => checkNewerRecord(before.opened, next.opened), broken);
    const later = { ...next.opened, version: 9 };
    t.throws(() => checkNewerRecord(before.opened, later), broken, 'nor later on');
  }
});

t.test(
  'A3, A4 pitfall: unsigned backup key/pk_i swap: the keys of a code never change under its name',
  async (t) => {
    const ann = new SampleAccount(random);
    const codes = await ann.makeCodes(3);
    const evil = (await ann.makeCodes(1)).map(({ keys }) => ann.slotOf(keys))[0];
    if (!evil) throw new Error('no code');
    const first = ann.record({ slots: codes.map(({ keys }) => ann.slotOf(keys)) });
    const [one, ...rest] = first.opened.slots;
    if (!one) throw new Error('no slot');
    const { dh, proofHash, anchor } = evil;
    for (const change of [{ dh }, { proofHash }, { anchor }, evil]) {
      const slots = [{ ...one, ...change }, ...rest];
      const next = ann.nextRecord(first, { slots });
      t.throws(() => checkRecordSuccessor(first.opened, next.opened), broken);
      t.throws(() => checkNewerRecord(first.opened, next.opened), broken);
      t.ok(codesAnew(first.opened, next.opened), 'and with versions between, the person is told');
      const more = ann.nextRecord(first, { slots: [one, ...rest, evil] });
      t.throws(() => checkRecordSuccessor(first.opened, more.opened), broken, 'nor is one added');
      const salted = { salt: random(16), kdf: ann.codes.kdf };
      const anew = ann.nextRecord(first, { slots, codes: salted });
      t.doesNotThrow(() => checkRecordSuccessor(first.opened, anew.opened));
      t.ok(codesAnew(first.opened, anew.opened), 'under another salt it is told');
    }
    const salted = { salt: random(16), kdf: ann.codes.kdf };
    const renamed = ann.nextRecord(first, { codes: salted });
    t.ok(codesAnew(first.opened, renamed.opened), 'another salt alone spoils every code');
    const used = ann.nextRecord(first, { slots: rest });
    t.doesNotThrow(() => checkRecordSuccessor(first.opened, used.opened), 'a code may go');
    t.notOk(codesAnew(first.opened, used.opened));
    t.throws(
      () =>
        checkRecordSuccessor(used.opened, ann.nextRecord(used, { slots: [one, ...rest] }).opened),
      broken,
      'and stays away',
    );
  },
);

t.test('A3 pitfall: KDF downgrade: what hashes codes never gets easier', async (t) => {
  const ann = new SampleAccount(random);
  const { salt, kdf } = ann.codes;
  const first = ann.record({ codes: { salt, kdf: { ...kdf, passes: kdf.passes + 1 } } });
  const weaker = ann.nextRecord(first, { codes: { salt: random(16), kdf } });
  t.throws(() => checkRecordSuccessor(first.opened, weaker.opened), broken);
  t.throws(() => checkNewerRecord(first.opened, { ...weaker.opened, version: 9 }), broken);
});

t.test(
  'A4 pitfall: a device that can not be removed: the oldest archive keys go where there is no room',
  async (t) => {
    const ann = new SampleAccount(random);
    const most = limits.archiveKeys;
    const former = Array.from({ length: most }, () => random(32));
    const full = ann.record({ version: 9, prevHash: random(32), arkEpoch: most + 1, former });
    const kept = { former: [...former.slice(1), full.parts.ark] };
    const next = ann.rotated(full, { ...kept, firstEpoch: 2 });
    t.doesNotThrow(() => checkRecordSuccessor(full.opened, next.opened));
    const later = { ...next.opened, version: 99, arkEpoch: most + 9, firstEpoch: 9 };
    t.doesNotThrow(() => checkNewerRecord(full.opened, later), 'with versions between');
    const early = ann.rotated(full, { former: kept.former.slice(1), firstEpoch: 3 });
    t.throws(() => checkRecordSuccessor(full.opened, early.opened), broken, 'no more than must');
    t.throws(() => checkNewerRecord(full.opened, { ...later, firstEpoch: 10 }), broken);
    const few = ann.rotated(ann.record({}), { firstEpoch: 2, former: [] });
    t.throws(() => checkRecordSuccessor(ann.record({}).opened, few.opened), broken);
  },
);

t.test('only a reset lets the keys of before go, and it must', async (t) => {
  const ann = new SampleAccount(random);
  const before = ann.rotated(ann.record({}));
  ann.change({}, 'reset', [ann.device(2)]);
  const after = ann.nextRecord(before, { firstEpoch: 3, arkEpoch: 3, ark: random(32), former: [] });
  t.doesNotThrow(() => checkRecordSuccessor(before.opened, after.opened, true));
  t.doesNotThrow(() => checkNewerRecord(before.opened, after.opened, true));
  t.throws(() => checkRecordSuccessor(before.opened, after.opened), broken);
  t.throws(() => checkNewerRecord(before.opened, after.opened), broken);
  const keeps = ann.rotated(before);
  t.throws(() => checkRecordSuccessor(before.opened, keeps.opened, true), broken);
  t.throws(() => checkNewerRecord(before.opened, keeps.opened, true), broken);
});

t.test('A4: a record belongs to one list and has a slot for exactly its devices', async (t) => {
  const ann = new SampleAccount(random);
  const first = ann.record({});
  const [before] = ann.lists;
  const two = ann.device(2);
  ann.change({ devices: [...ann.list.devices, ann.cert(two)] });
  const second = ann.nextRecord(first);
  t.doesNotThrow(() => checkRecordList(second.opened, ann.list));
  t.throws(() => checkRecordList(first.opened, ann.list), broken);
  if (before !== undefined) t.throws(() => checkRecordList(second.opened, before), broken);
  for (const devices of [second.opened.devices.slice(1), [...second.opened.devices].reverse()]) {
    t.throws(() => checkRecordList({ ...second.opened, devices }, ann.list), broken);
  }
  const other = new SampleAccount(random).list;
  const { hash, epoch } = other;
  const moved = { ...second.opened, listHash: hash, listEpoch: epoch };
  t.throws(() => checkRecordList(moved, other), broken, 'the list of another account');
});

t.test(
  'pitfall: unsigned backup key/pk_i swap: an identity that the island made is not taken for one’s own',
  async (t) => {
    const ann = new SampleAccount(random);
    const [code] = await ann.makeCodes(1);
    if (code === undefined) throw new Error('no code');
    const slot = ann.slotOf(code.keys);
    const made = ann.record({ slots: [slot] });
    t.doesNotThrow(() => checkAnchor(made.opened, code.keys, ann.lists));

    // The island knows the public key in the slot and draws the share: its own record opens with the code.
    const island = new SampleAccount(random, 'ann', ann.account);
    const forged = island.record({ slots: [slot], codes: ann.codes });
    const share = forged.shares[0]?.share ?? new Uint8Array(32);
    t.same(openCodeSlot(forged.opened, code.keys, share).ark, forged.parts.ark);
    t.throws(() => checkAnchor(forged.opened, code.keys, island.lists), changed);
    const anchored = island.record({
      slots: (await island.makeCodes(1)).map(({ keys }) => island.slotOf(keys)),
    });
    t.throws(() => checkAnchor(anchored.opened, code.keys, island.lists), {
      name: 'Fault',
      code: 'wrong_code',
    });
  },
);

t.test('A3: an anchor holds across rotations of the AIK, by the lists between', async (t) => {
  const ann = new SampleAccount(random);
  const [code] = await ann.makeCodes(1);
  if (code === undefined) throw new Error('no code');
  const first = ann.record({ slots: [ann.slotOf(code.keys)] });
  const two = ann.device(2);
  ann.change({ devices: [...ann.list.devices, ann.cert(two)] });
  const second = ann.nextRecord(first);
  ann.change({ devices: ann.list.devices.slice(0, 1) }, 'rotate');
  const third = ann.rotated(second);
  const { lists } = ann;
  t.doesNotThrow(() => checkAnchor(third.opened, code.keys, lists));
  t.doesNotThrow(() => checkAnchor(third.opened, code.keys, lists.slice(1)));
  t.throws(() => checkAnchor(third.opened, code.keys, lists.slice(2)), changed, 'history cut off');
  t.throws(() => checkAnchor(third.opened, code.keys, lists.slice(0, 2)), broken);
  t.throws(() => checkAnchor(third.opened, code.keys, []), broken);
  const gap = lists.filter((_, i) => i !== 1);
  t.throws(() => checkAnchor(third.opened, code.keys, gap), { name: 'Fault', code: 'list_broken' });
  const older = openKeyRecord(second.record, lists[1]?.aik ?? ann.aik.public);
  t.throws(() => checkAnchor(older, code.keys, lists), broken, 'a record of an older list');
});

t.test(
  'pitfall: unsigned backup key/pk_i swap: a code of before a reset proves nothing after it',
  async (t) => {
    const ann = new SampleAccount(random);
    const [code] = await ann.makeCodes(1);
    if (code === undefined) throw new Error('no code');
    const first = ann.record({ slots: [ann.slotOf(code.keys)] });
    ann.change({}, 'reset', [ann.device(2)]);
    const key = { firstEpoch: 2, arkEpoch: 2, former: [] };
    const kept = ann.nextRecord(first, key);
    t.throws(() => checkAnchor(kept.opened, code.keys, ann.lists), changed);
  },
);
