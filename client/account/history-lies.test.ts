/** An island that shows an older state of one's own account, or one with a gap, to a device or to a fresh home. */
import { listFlags } from '@island/protocol/crypto/account-state.ts';
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  type DeviceList,
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { ed25519, randomBytes } from '@island/protocol/crypto/primitives.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { openArchive } from '../archive/archive.ts';
import { recover } from '../joining/recovery.ts';
import { openPeople } from '../people/people.ts';
import { instead, type Json, ownOf, remade, resigned } from '../testing/lies.ts';
import { credentials, type DeviceHome, home, opened, registered } from '../testing/member-home.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';
import { type Account, openAccount, readAccount } from './account.ts';
import { mostChanges } from './device-history.ts';
import { publishKeys } from './key-changes.ts';
import { revokeDevice, syncOwn } from './own-devices.ts';

t.setTimeout(240_000);

type Lie = (path: string, answer: Json) => Json;

async function lied<T>(island: RealIsland, lie: Lie, work: () => Promise<T>): Promise<string> {
  island.line.answer = ({ path }, answer) => lie(path, answer);
  try {
    await work();
    return 'none';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  } finally {
    delete island.line.answer;
  }
}

async function another(island: RealIsland, name: string, code = ''): Promise<DeviceHome> {
  const fresh = home(island);
  await recover(fresh.joining, island.recoverLink(name), { credentials, code });
  return opened(island, fresh);
}

const archiveOf = ({ storage, session, keeping, lookups }: DeviceHome, account: Account) =>
  openArchive({
    account,
    storage,
    session,
    people: openPeople(storage, lookups),
    renew: () => syncOwn(keeping),
  });

t.test(
  'K2: a fresh home refuses a device history with a gap, and a record of before',
  async (t) => {
    await using island = await realIsland({ lies: true });
    const one = await registered(island, 'alice');
    const first = await ownOf(one);
    const two = await another(island, 'alice', one.codes[0]);
    const second = await ownOf(two);
    await syncOwn(one.keeping);
    await revokeDevice(one.keeping, 2);
    const codes = one.codes.slice(1);
    const history =
      (change: (lists: DeviceList[]) => DeviceList[]): Lie =>
      (path, answer) => {
        if (!path.startsWith('/v1/people/alice/lists/')) return answer;
        const lists = (answer['lists'] as string[]).map((list) =>
          openDeviceList(fromBase64url(list)),
        );
        return { ...answer, lists: change(lists).map(({ bytes }) => base64url(bytes)) };
      };
    const without = (gone: number): Lie =>
      history((lists) => lists.filter(({ epoch }) => epoch !== gone));
    const lies: Record<string, [Lie, string]> = {
      'the first list is left out': [without(1), 'history_broken'],
      'one in the middle is left out': [without(2), 'history_broken'],
      'the last is left out': [without(3), 'history_broken'],
      'the lists change places': [history((lists) => [...lists].reverse()), 'history_broken'],
      'the history is empty': [history(() => []), 'history_broken'],
      'a record of an older list': [
        instead('/v1/record', { record: base64url(second.record.bytes) }),
        'record_rolled_back',
      ],
      'an older list under the newest record': [
        instead('/v1/people/alice', { list: base64url(first.list.bytes) }),
        'record_differs',
      ],
    };
    for (const [title, [lie, expected]] of Object.entries(lies)) {
      const fresh = home(island);
      const code = codes.shift() ?? '';
      const work = () => recover(fresh.joining, island.recoverLink('alice'), { credentials, code });
      t.equal(await lied(island, lie, work), expected, title);
      t.equal(await readAccount(fresh.storage), undefined);
    }
  },
);

t.test(
  'pitfall: rollback of slot list: a device refuses what is older than it knows, and forks',
  async (t) => {
    await using island = await realIsland({ lies: true });
    const one = await registered(island, 'alice');
    const before = await ownOf(one);
    await publishKeys(one.keeping, () => ({ rotate: true }));
    const { list, aik, keys, record } = await ownOf(one);
    const show = (bytes: Uint8Array): Lie => instead('/v1/record', { record: base64url(bytes) });
    const next = { list, aik, ark: keys.ark, former: keys.former };
    const { version } = record;
    const chain = { version: version + 1, prevHash: record.hash };
    const lies: Record<string, [Uint8Array, string]> = {
      'the record of before': [before.record.bytes, 'record_rolled_back'],
      'another record of the same version': [remade(record, next).record, 'record_differs'],
      'one that follows from another': [
        remade(record, { ...next, version: version + 1 }).record,
        'record_differs',
      ],
      'one with other former keys': [
        remade(record, { ...next, ...chain, former: [keys.ark] }).record,
        'record_closed',
      ],
      'one whose slot for this device does not open': [
        resigned(remade(record, { ...next, ...chain }).record, aik, (fields) => {
          // keyring, count of devices, id, length, then the sealed slot
          const at = 126 + 4 + 32 + 16 + 1 + 4 + 2 + 60;
          fields[at] = (fields[at] ?? 0) ^ 1;
        }),
        'record_closed',
      ],
      'one that nobody signed': [resigned(record.bytes, ed25519.generate()), 'record_unsigned'],
    };
    for (const [title, [bytes, expected]] of Object.entries(lies)) {
      t.equal(await lied(island, show(bytes), () => syncOwn(one.keeping)), expected, title);
      t.same((await ownOf(one)).keys, keys, 'nothing was adopted');
    }
    await syncOwn(one.keeping);
  },
);

t.test(
  'K2: a device refuses an older list of its account, a gap, and a reset that it knows nothing of',
  async (t) => {
    await using island = await realIsland({ lies: true });
    const one = await registered(island, 'alice');
    const first = await ownOf(one);
    const two = await another(island, 'alice', one.codes[0]);
    await another(island, 'alice', one.codes[1]);
    const gap = instead('/v1/people/alice/lists/0', ({ lists }) => ({
      lists: (lists as string[]).slice(1),
    }));
    t.equal(await lied(island, gap, () => syncOwn(one.keeping)), 'history_broken');
    await syncOwn(two.keeping);
    const older = instead('/v1/people/alice', { list: base64url(first.list.bytes) });
    t.equal(await lied(island, older, () => syncOwn(two.keeping)), 'list_rolled_back');
    await t.rejects(syncOwn(two.keeping), { code: 'directory_contradicted' });

    await syncOwn(one.keeping);
    const { list, account } = await ownOf(one);
    const evil = ed25519.generate();
    const cert = signDeviceCert(
      createDevice({ account: account.account, device: deviceId(list.lastDevice + 1) }),
      evil.public,
      20_000,
    );
    const replace = { aik: evil.public, how: 'reset' } as const;
    const reset = signDeviceList(nextDeviceList(list, { devices: [cert], replace }, 20_000), evil);
    const lie = instead('/v1/people/alice', { list: base64url(reset) });
    t.equal(await lied(island, lie, () => syncOwn(one.keeping)), 'account_reset');
    t.same((await ownOf(one)).list.hash, list.hash, 'the known list stays');
    await syncOwn(one.keeping);
  },
);

t.test(
  'pitfall: rollback of the archive: an older one than a code vouches for is refused',
  async (t) => {
    await using island = await realIsland({ lies: true });
    const one = await registered(island, 'alice');
    const { account } = await ownOf(one);
    await another(island, 'alice', one.codes[0]);
    await syncOwn(one.keeping);
    const self = (await import('./account.ts')).openAccount(account);
    await revokeDevice(one.keeping, 2, archiveOf(one, self));
    await publishKeys(one.keeping, () => ({ rotate: true }));
    const fresh = await another(island, 'alice', one.codes[1]);
    const record = await readAccount(fresh.storage);
    if (!record) throw new Error('no account');
    const archive = archiveOf(fresh, openAccount(record));
    const none = instead('/v1/archive', { seq: 0, hash: base64url(new Uint8Array(32)) });
    t.equal(await lied(island, none, () => archive.sync()), 'archive_rolled_back');
    await archive.sync();
  },
);

t.test(
  'pitfall: a history without end: a fresh home asks for none of it, nor does a contact',
  async (t) => {
    await using island = await realIsland({ lies: true });
    const one = await registered(island, 'alice');
    const two = await registered(island, 'bob');
    const people = openPeople(two.storage, two.lookups);
    await people.refresh('alice');
    const { list, aik } = await ownOf(one);
    const named = (epoch: number) => {
      const update = { ...list, flags: listFlags.update, epoch, prevHash: randomBytes(32) };
      return base64url(signDeviceList(update, aik));
    };
    const ways = () => island.requests.filter(({ path, body }) => /lists/.test(path) && body);
    const shown = async (epoch: number, work: () => Promise<unknown>) => {
      const before = ways().length;
      const lie: Lie = (path, answer) =>
        path === '/v1/people/alice' ? { ...answer, list: named(epoch) } : answer;
      return [await lied(island, lie, work), ways().length - before];
    };
    const joins = (code = '') => {
      const fresh = home(island);
      return () => recover(fresh.joining, island.recoverLink('alice'), { credentials, code });
    };
    const [a, b] = one.codes;
    t.same(await shown(0xffff_ffff, joins(a)), ['history_long', 0]);
    t.same(await shown(mostChanges + 2, joins(b)), ['history_long', 0]);
    t.same(await shown(mostChanges + 2, () => people.refresh('alice')), ['history_long', 0]);
    t.same(await shown(mostChanges + 2, () => syncOwn(one.keeping)), ['history_long', 0]);
    t.same(await shown(mostChanges + 1, () => syncOwn(one.keeping)), ['history_broken', 2]);
  },
);
