/**
 * An attacker who writes to the databases of an island, or answers in its place: whatever of slots, shares,
 * parameters, salts, records, lists and segments is put in place of the true ones, an unmodified client
 * refuses by name, and goes on when the true ones are back. docs/threat-model.md §2
 */
import { type Device, freshHome, openDevice } from '@island/appliance/verify/device.ts';
import { askingToJoin } from '@island/appliance/verify/people.ts';
import { refusal } from '@island/appliance/verify/storm.ts';
import { needKeys } from '@island/client/account/account-keys.ts';
import { syncKeys } from '@island/client/account/key-changes.ts';
import { recover } from '@island/client/joining/recovery.ts';
import { history } from '@island/client/messages/history.ts';
import type { Platform } from '@island/client/platform.ts';
import { signIn } from '@island/client/sign-in/sign-in.ts';
import { sealedAt } from '@island/client/testing/lies.ts';
import { encodeState } from '@island/protocol/crypto/account-state.ts';
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import { nextDeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { hashKeyRecord, readKeyRecord } from '@island/protocol/crypto/key-record.ts';
import { ed25519, randomBytes } from '@island/protocol/crypto/primitives.ts';
import { sign } from '@island/protocol/crypto/signature.ts';
import { concat } from '@island/protocol/wire/bytes.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t, { type Test } from 'tap';
import { bytesIn, rowsOf, type ServiceName, stealDatabases, tamper } from './attacker/databases.ts';
import { segmentRow, withMaster } from './attacker/master.ts';
import { say } from './attacker/victims.ts';
import { bootIsland } from './island.ts';
import { members, rotateKeys } from './members.ts';

t.setTimeout(240_000);

const island = await bootIsland();
t.teardown(() => island[Symbol.asyncDispose]());
const [alice, mallory] = await members(island, ['alice', 'mallory']);
if (!alice || !mallory) throw new Error('nobody');
for (const person of [alice, mallory]) t.teardown(() => person[Symbol.asyncDispose]());
const { account } = alice.account;

/** A history over two archive keys, and a state of the databases that is out of date. */
await say(alice, 'mallory', 'the first');
const before = await stealDatabases(island.data);
await say(alice, 'mallory', 'the second');
await rotateKeys(alice);
await rotateKeys(mallory);
await say(alice, 'mallory', 'the third');
const present = await stealDatabases(island.data);

type Statements = Parameters<typeof tamper>[2];
interface Tampering {
  what: string;
  service: ServiceName;
  statements: Statements;
  /** What the client calls it. */
  code: string;
}

const listsOf = (tables: typeof present, whose: string) =>
  rowsOf(tables, 'directory', 'lists')
    .filter((row) => row['account'] === whose)
    .toSorted((a, b) => Number(a['epoch']) - Number(b['epoch']))
    .map((row) => openDeviceList(bytesIn(row, 'bytes')));
const recordOf = (tables: typeof present, whose: string) =>
  bytesIn(
    rowsOf(tables, 'accounts', 'records').find((row) => row['account'] === whose),
    'bytes',
  );
const record = readKeyRecord(recordOf(present, account));
const lists = listsOf(present, account);
const newest = lists.at(-1);
if (newest === undefined) throw new Error('no list');

const putRecord = (bytes: Uint8Array): Statements => [
  [
    'update records set bytes = ?, hash = ? where account = ?',
    bytes,
    hashKeyRecord(bytes),
    account,
  ],
];
const inPerson = (column: string, value: number | Uint8Array): Statements => [
  [`update people set ${column} = ? where account = ?`, value, account],
];

/** The slots of two codes with each other's seals: the same keys, the same share to open them with. */
function slotsExchanged(): Uint8Array {
  const bytes = record.bytes.slice();
  const fields = bytes.subarray(0, -64);
  const [one, other] = [sealedAt(fields, 0, 8), sealedAt(fields, 1, 8)];
  const first = fields.slice(...one);
  fields.copyWithin(one[0], ...other);
  fields.set(first, other[0]);
  return bytes;
}

function bitFlipped(at: number): Uint8Array {
  const bytes = record.bytes.slice();
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

const forger = ed25519.generate();
const resigned = concat(
  record.bytes.subarray(0, -64),
  sign('key-record', forger, record.bytes.subarray(0, -64)),
);

/** The next list with a device of the attacker on it, which her identity key has not signed. */
const ghost = (() => {
  const device = createDevice({ account, device: deviceId(newest.lastDevice + 1) });
  const cert = signDeviceCert(device, newest.aik, 20_000);
  const fields = encodeState(
    nextDeviceList(newest, { devices: [...newest.devices, cert] }, 20_000),
  );
  return concat(fields, sign('device-list', forger, fields));
})();

const weaker: Tampering[] = [
  ['memory', 19_456],
  ['passes', 1],
].map(([column, value]) => ({
  what: `${column} of the password hash lowered`,
  service: 'accounts',
  statements: inPerson(String(column), Number(value)),
  code: 'kdf_downgrade',
}));
const records: Tampering[] = [
  ['the record of before', recordOf(before, account), 'record_rolled_back'],
  ['the record of somebody else', recordOf(present, mallory.account.account), 'record_differs'],
  ['the slots of two codes exchanged', slotsExchanged(), 'record_unsigned'],
  ['other parameters of the codes in the record', bitFlipped(117), 'record_unsigned'],
  ['a bit of a slot changed', bitFlipped(record.bytes.length - 100), 'record_unsigned'],
  ['the true record, signed by another key', resigned, 'record_unsigned'],
].map(([what, bytes, code]) => ({
  what: String(what),
  service: 'accounts',
  statements: putRecord(bytes as Uint8Array),
  code: String(code),
}));
/** What the log does not have counts for nobody, whatever lies beside it; what it has and cannot show is missed. */
const tamperedLists: Record<string, Statements> = {
  'the newest device list left out': [
    ['delete from lists where account = ? and epoch = ?', account, newest.epoch],
  ],
  'a device of the attacker on the list': [
    [
      'insert into lists (account, epoch, bytes, hash) values (?, ?, ?, ?)',
      ...[account, newest.epoch + 1, ghost, randomBytes(32)],
    ],
  ],
};

async function refused(
  t: Test,
  { what, service, statements, code }: Tampering,
  act: () => Promise<unknown>,
): Promise<void> {
  using _tampered = tamper(island.data, service, statements);
  await t.rejects(act(), { code }, `${what}: ${code}`);
}

t.test(
  'A1: a device that signs in refuses what would make its password easier to guess',
  async (t) => {
    const { joining, password } = alice;
    const salt: Tampering = {
      what: 'another salt of the password',
      service: 'accounts',
      statements: inPerson('salt', randomBytes(16)),
      code: 'salt_changed',
    };
    const hashes = alice.hashes.length;
    for (const each of [...weaker, salt])
      await refused(t, each, () => signIn(joining, { password }));
    t.equal(alice.hashes.length, hashes, 'nothing was hashed');
    await signIn(joining, { password });
  },
);

t.test(
  'A3, A4: a device of the account refuses another record and other lists, and keeps what it has',
  async (t) => {
    const { keeping, joining } = alice;
    const kept = await needKeys(joining.storage);
    for (const each of records) await refused(t, each, () => syncKeys(keeping));
    for (const [what, statements] of Object.entries(tamperedLists)) {
      using _tampered = tamper(island.data, 'directory', statements);
      t.equal((await syncKeys(keeping)).list.epoch, newest.epoch, what);
    }
    t.same(await needKeys(joining.storage), kept);
    t.equal((await syncKeys(keeping)).changes.length, 0, 'all is as it was');
  },
);

/** A platform in which the island answers a route with something else. */
function lying(base: Platform, path: string, change: (answer: Record<string, unknown>) => object) {
  return (lies: { on: boolean }): Platform => ({
    ...base,
    transport: (pinned) => {
      const way = base.transport(pinned);
      return {
        ...way,
        async request(request) {
          const answer = await way.request(request);
          if (!lies.on || request.path !== path || answer.status !== 200) return answer;
          const told = JSON.parse(Buffer.from(answer.body).toString('utf8'));
          return { ...answer, body: Buffer.from(JSON.stringify({ ...told, ...change(told) })) };
        },
      };
    },
  });
}

t.test(
  'A3: a fresh home with a code believes none of it, and comes back with the truth',
  async (t) => {
    const [code = '', spare = ''] = alice.codes;
    const { password, recoverLink } = alice;
    const lies = { on: false };
    const share = { share: base64url(randomBytes(32)) };
    const platform = lying(alice.platform, '/v1/recovery', () => share)(lies);
    const home = freshHome(platform);
    const act = () => recover(home, recoverLink, { credentials: { password }, code });

    const parameters: Tampering[] = [
      ['code_memory', 19_456],
      ['code_passes', 1],
    ].map(([column, value]) => ({
      what: `${column} lowered`,
      service: 'accounts',
      statements: inPerson(String(column), Number(value)),
      code: 'kdf_downgrade',
    }));
    for (const each of [...weaker, ...parameters]) await refused(t, each, act);
    const salt = {
      what: 'another salt of the codes',
      service: 'accounts',
      code: 'wrong_code',
    } as const;
    await refused(t, { ...salt, statements: inPerson('code_salt', randomBytes(16)) }, act);
    t.equal((await alice.session.call('account', {})).codes, 8, 'no code was used up by that');

    for (const each of records) await refused(t, each, act);
    lies.on = true;
    await t.rejects(act(), { code: 'share_swapped' }, 'another share: share_swapped');
    lies.on = false;

    const { codesLeft } = await act();
    t.equal(codesLeft, 7, 'with the truth it is a device of the account');
    const device = await openDevice(home, password);
    t.teardown(() => device[Symbol.asyncDispose]());
    await archives(t, device);

    await t.test(
      'a share that was moved to another code opens nothing at the island',
      async (t) => {
        await syncKeys(alice.keeping);
        const rows = rowsOf(await stealDatabases(island.data), 'accounts', 'code_slots').filter(
          (row) => row['account'] === account,
        );
        const shares = rows.map((row) => bytesIn(row, 'share'));
        const moved: Statements = rows.map((row, i) => [
          'update code_slots set share = ? where account = ? and loc = ?',
          ...[shares[(i + 1) % shares.length] ?? randomBytes(61), account, bytesIn(row, 'loc')],
        ]);
        const ask = await askingToJoin(alice, { code: spare });
        {
          using _tampered = tamper(island.data, 'accounts', moved);
          t.equal(await refusal(ask), 'internal');
        }
        t.equal(await refusal(ask), 'accepted', 'and the code is not used up by that');
      },
    );
  },
);

/** The archive as a device sees it that has read nothing of it yet. */
async function archives(t: Test, device: Device): Promise<void> {
  await using islander = await device.open();
  // Whoever has the master key as well can put in place what the island itself would take for its own.
  const master = await withMaster(island.data, 'archive', present);
  const segments = rowsOf(present, 'archive', 'segments')
    .filter((row) => row['account'] === account)
    .toSorted((a, b) => Number(a['seq']) - Number(b['seq']));
  t.ok(segments.length >= 3, `${segments.length} segments`);
  const placeOf = (i: number) => ({
    ...{ table: 'segments', column: 'bytes' },
    row: segmentRow(segments[i] ?? {}),
  });
  const bytesOf = (i: number): Uint8Array => master.open(placeOf(i), bytesIn(segments[i], 'bytes'));
  const put = (i: number, bytes: Uint8Array): Statements[number] => [
    'update segments set bytes = ? where account = ? and seq = ?',
    ...[master.seal(placeOf(i), bytes), account, Number(segments[i]?.['seq'])],
  ];
  const putRaw = (i: number, bytes: Uint8Array): Statements[number] => [
    'update segments set bytes = ? where account = ? and seq = ?',
    ...[bytes, account, Number(segments[i]?.['seq'])],
  ];
  const rawOf = (i: number): Uint8Array => bytesIn(segments[i], 'bytes');
  const changed = bytesOf(0).slice();
  changed[200] = (changed[200] ?? 0) ^ 1;
  const cases: [string, Statements, string][] = [
    [
      'M5: two exchanged without the master key',
      [putRaw(0, rawOf(1)), putRaw(1, rawOf(0))],
      'archive_broken',
    ],
    ['two segments exchanged', [put(0, bytesOf(1)), put(1, bytesOf(0))], 'archive_broken'],
    ['a segment twice', [put(1, bytesOf(0))], 'archive_broken'],
    ['a bit of a segment changed', [put(0, changed)], 'archive_forged'],
    [
      'a segment left out',
      [['delete from segments where account = ? and seq = ?', account, 2]],
      'archive_broken',
    ],
    [
      'the archive as it was before',
      [
        ['delete from segments where account = ? and seq > ?', account, 1],
        [
          'update heads set seq = ?, hash = ? where account = ?',
          ...[1, bytesIn(rowsOf(before, 'archive', 'heads')[0], 'hash'), account],
        ],
      ],
      'archive_rolled_back',
    ],
  ];
  for (const [what, statements, code] of cases)
    await refused(t, { what, service: 'archive', statements, code }, () => islander.archive.sync());
  await islander.archive.sync();
  const texts = (await history(device.joining.storage)).map((each) => 'text' in each && each.text);
  t.same(texts, ['the first', 'the second', 'the third']);
}

t.test(
  'A1: a password of one’s own, copied into the row of somebody else, signs nobody in',
  async (t) => {
    const rows = rowsOf(await stealDatabases(island.data), 'accounts', 'people');
    const own = rows.find((row) => row['name'] === 'mallory');
    const verifier = [bytesIn(own, 'salt'), String(own?.['verifier'])] as const;
    const key = bytesIn(own, 'password_key');
    const set = (columns: string) =>
      `update people set ${columns.replaceAll(',', ' = ?,')} = ? where account = ?`;
    const attempt = async (statements: Statements): Promise<string> => {
      using _tampered = tamper(island.data, 'accounts', statements);
      return await refusal(await askingToJoin({ ...alice, password: mallory.password }));
    };
    t.equal(
      await attempt([[set('salt, verifier'), ...verifier, account]]),
      'wrong_credentials',
      'her key is not that of the attacker’s password',
    );
    t.equal(
      await attempt([[set('salt, verifier, password_key'), ...verifier, key, account]]),
      'internal',
      'and the attacker’s opens in the attacker’s row only',
    );
  },
);
