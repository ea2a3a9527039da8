/** A device of the account that is in other hands: what it can change, what is told, and that it can be removed. */
import { type KeyRecord, openKeyRecord } from '@island/protocol/crypto/key-record.ts';
import { checkRecordSuccessor } from '@island/protocol/crypto/key-record-order.ts';
import { ed25519, equal, randomBytes, sha256, x25519 } from '@island/protocol/crypto/primitives.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { recover } from '../joining/recovery.ts';
import { instead, ownOf, remade } from '../testing/lies.ts';
import { credentials, type DeviceHome, home, opened, registered } from '../testing/member-home.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';
import { keepingText, keyringOf } from './account-keys.ts';
import { nextRecord } from './next-record.ts';
import { revokeDevice, syncOwn } from './own-devices.ts';

t.setTimeout(240_000);

/** A device more, by a backup code, which the others know of. */
async function bad(island: RealIsland, one: DeviceHome & { codes: string[] }): Promise<DeviceHome> {
  const fresh = home(island);
  const code = one.codes.shift() ?? '';
  await recover(fresh.joining, island.recoverLink('alice'), { credentials, code });
  await syncOwn(one.keeping);
  return opened(island, fresh);
}

/** What a device makes after the present record. */
async function nextOf(device: DeviceHome, parts: Partial<Parameters<typeof remade>[1]>) {
  const { list, aik, keys, record } = await ownOf(device);
  const chain = { version: record.version + 1, prevHash: record.hash };
  return remade(record, { list, aik, ark: keys.ark, former: keys.former, ...chain, ...parts });
}

t.test(
  'A3, A4 pitfall: unsigned backup key/pk_i swap: a removed device does not come back by the slot of a code',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'alice');
    const two = await bad(island, one);
    const { record } = await ownOf(two);
    const [first, ...rest] = record.slots;
    if (!first) throw new Error('no slots');
    const dh = x25519.generate().public;
    const spoiled = { ...first, dh, proofHash: sha256(randomBytes(32)), anchor: randomBytes(32) };
    const slots = [spoiled, ...rest];
    const same = await nextOf(two, { slots });

    await t.test('the island does not take it', async (t) => {
      const put = two.session.call('putRecord', keepingText(same.record, same.shares));
      await t.rejects(put, { code: 'record_broken' });
    });

    await t.test('nor does a device, if the island helps', async (t) => {
      const lie = instead('/v1/record', { record: base64url(same.record) });
      island.line.answer = ({ path }, answer) => lie(path, answer);
      await t.rejects(syncOwn(one.keeping), { code: 'record_differs' });
      delete island.line.answer;
    });

    await t.test('it is told that codes changed, whatever they are called', async (t) => {
      const { codes } = record;
      const salted = await nextOf(two, { slots, codes: { ...codes, salt: randomBytes(16) } });
      await two.session.call('putRecord', keepingText(salted.record, salted.shares));
      const { changes } = await syncOwn(one.keeping);
      t.same(changes, [{ type: 'codes', left: 7 }]);
    });

    await t.test('also when they have the salt of before, with a version unseen', async (t) => {
      const three = await registered(island, 'bob');
      const { record, list, aik, keys } = await ownOf(three);
      const chain = { version: record.version + 2, prevHash: randomBytes(32) };
      const [a, ...others] = record.slots;
      if (!a) throw new Error('no slots');
      const made = remade(record, {
        ...{ list, aik, ark: keys.ark, former: keys.former, ...chain },
        slots: [{ ...a, dh }, ...others],
      });
      const lie = instead('/v1/record', { record: base64url(made.record) });
      island.line.answer = ({ path }, answer) => lie(path, answer);
      t.same((await syncOwn(three.keeping)).changes, [{ type: 'codes', left: 8 }]);
      delete island.line.answer;
    });

    await revokeDevice(one.keeping, two.device);
    const { aik, list } = await ownOf(one);
    t.ok(equal(ed25519.fromSeed(aik.private).public, list.aik));
  },
);

t.test(
  'A4 pitfall: a device that can not be removed: its rotations are told of and held back',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'alice');
    const two = await bad(island, one);
    const { list, aik, keys, record } = await ownOf(two);
    let last = record;
    const former = [...keys.former, keys.ark];
    const rotate = async () => {
      const ark = randomBytes(32);
      const chain = { version: last.version + 1, prevHash: last.hash, arkEpoch: last.arkEpoch + 1 };
      const made = remade(last, { list, aik, ark, former, ...chain });
      await two.session.call('putRecord', keepingText(made.record, made.shares));
      last = openKeyRecord(made.record, aik.public);
      former.push(ark);
    };
    await rotate();
    t.same((await syncOwn(one.keeping)).changes, [{ type: 'rotated', times: 1 }]);
    for (let i = 1; i < limits.rotationsPerDay; i++) await rotate();
    await t.rejects(rotate(), { code: 'rate_limited' });
    const { changes } = await syncOwn(one.keeping);
    t.same(changes, [{ type: 'rotated', times: limits.rotationsPerDay - 1 }]);
    await revokeDevice(one.keeping, two.device);
    t.equal((await ownOf(one)).list.devices.length, 1);
  },
);

t.test(
  'A4 pitfall: a device that can not be removed: a full keyring leaves room for another key',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'alice');
    const { list, aik, record } = await ownOf(one);
    const ark = randomBytes(32);
    const former = Array.from({ length: limits.archiveKeys }, () => randomBytes(32));
    const arkEpoch = former.length + 1;
    const parts = { list, aik, ark, former, arkEpoch, version: 1001, prevHash: randomBytes(32) };
    const full = openKeyRecord(remade(record, parts).record, list.aik);
    const keys = keyringOf(full, ark);
    const head = { seq: 0, hash: new Uint8Array(32) };
    const next = nextRecord({ previous: full, keys, list, aik, rotate: true, used: [], head });
    const after = openKeyRecord(next.record, list.aik);
    t.doesNotThrow(() => checkRecordSuccessor(full, after));
    t.same([after.firstEpoch, after.arkEpoch], [2, limits.archiveKeys + 2]);
    const kept = keyringOf(after, next.ark).former;
    t.same(kept, [...former.slice(1), ark]);
  },
);

t.test(
  'pitfall: KDF downgrade: a record with an easier hash for codes is not adopted, whoever signed it',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'alice');
    const { account, list, aik, keys, record } = await ownOf(one);
    const { memory } = record.codes.kdf;
    const harder = { ...record.codes, kdf: { ...record.codes.kdf, memory: memory + 1_024 } };
    const made = (codes: typeof harder, after: KeyRecord, unseen: number) =>
      remade(after, {
        ...{ list, aik, ark: keys.ark, former: keys.former },
        codes: { ...codes, salt: randomBytes(16) },
        version: after.version + 1 + unseen,
        prevHash: unseen ? randomBytes(32) : after.hash,
      });
    const shows = async ({ record }: { record: Uint8Array }) => {
      const lie = instead('/v1/record', { record: base64url(record) });
      island.line.answer = ({ path }, answer) => lie(path, answer);
      await syncOwn(one.keeping).finally(() => delete island.line.answer);
    };
    const up = made(harder, record, 0);
    await shows(up);
    t.equal((await ownOf(one)).account.codes.kdf.memory, memory + 1_024);
    const after = openKeyRecord(up.record, aik.public);
    for (const unseen of [0, 1, 5])
      await t.rejects(shows(made(record.codes, after, unseen)), { code: 'record_differs' });
    const held = await ownOf(one);
    t.equal(held.account.codes.kdf.memory, memory + 1_024, 'what was used before stays');
    t.same(held.account.dsk, account.dsk);
  },
);
