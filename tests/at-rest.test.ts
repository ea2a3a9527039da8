/**
 * M5: a copy of the data folder of a whole island, without its master key: no envelope, no attachment, no segment,
 * no secret, no token and no key of the CA is in it; rows that were exchanged are refused by name, and they alone are lost.
 * docs/protocol/at-rest.md
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { askRotation } from '@island/appliance/operator.ts';
import { tokensOf } from '@island/appliance/verify/device.ts';
import { askingToJoin } from '@island/appliance/verify/people.ts';
import { refusal } from '@island/appliance/verify/storm.ts';
import {
  keySpellings,
  type Needle,
  searchFiles,
  spellings,
} from '@island/appliance/verify/traces.ts';
import { getFrom } from '@island/client/attachments/blobs.ts';
import { bytesSource } from '@island/client/attachments/source.ts';
import { uploadAttachment } from '@island/client/attachments/upload.ts';
import { arrivals } from '@island/client/messages/arrivals.ts';
import { openWallet } from '@island/client/payment/wallet.ts';
import { beginTwoFactor } from '@island/client/sign-in/two-factor.ts';
import type { Transport } from '@island/client/transport/transport.ts';
import { loadPair } from '@island/pki/store.ts';
import type { AttachmentDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import { blobPieceBytes } from '@island/protocol/wire/blob-routes.ts';
import { decodeSend } from '@island/protocol/wire/send.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { tokenClasses } from '@island/protocol/wire/token.ts';
import { readIsland } from '@island/provisioning/island-file.ts';
import { layoutOf } from '@island/provisioning/layout.ts';
import { caKeysOf, readMaster } from '@island/provisioning/master-key.ts';
import { recordBytes } from '@island/services/kit/at-rest-record.ts';
import { Secret } from 'otpauth';
import t from 'tap';
import { bytesIn, rowsOf, type ServiceName, stealDatabases } from './attacker/databases.ts';
import { unsealed } from './attacker/master.ts';
import { say } from './attacker/victims.ts';
import { bootIsland, startCommand } from './island.ts';
import { members } from './members.ts';

t.setTimeout(240_000);

const island = await bootIsland();
t.teardown(() => island[Symbol.asyncDispose]());
const [alice, bob, carol] = await members(island, ['alice', 'bob', 'carol']);
if (!alice || !bob || !carol) throw new Error('nobody');
for (const person of [alice, bob, carol]) t.teardown(() => person[Symbol.asyncDispose]());

const words = ['the first of all', 'the second of all', 'the third of all'];
for (const text of words) await say(alice, 'bob', text);
const { secret } = await beginTwoFactor(alice.keeping, { island: 'test', name: 'alice' });
const { access, refresh } = await tokensOf(alice.joining.storage);
const layout = layoutOf(island.data);
const { masterKey = '', id = '' } = (await readIsland(layout)) ?? {};

/** Of alice, three pieces each. */
const files = [0, 1, 2].map(() => new Uint8Array(randomBytes(2 * blobPieceBytes + 1000)));
const wallet = openWallet({ ...alice.joining, session: alice.session, transport: alice.transport });
const attachments: AttachmentDescriptor[] = [];
for (const bytes of files)
  attachments.push(
    await uploadAttachment({
      ...{ transport: alice.transport, storage: alice.joining.storage, source: bytesSource(bytes) },
      ...{ name: 'plan.odt', mime: 'application/vnd.oasis.opendocument.text' },
      tokens: (count, batchOf, signal) => wallet.take(tokenClasses.media, count, batchOf, signal),
    }),
  );

/** Short enough that none is cut by the pages of a database. */
const pieces = (what: string, bytes: Uint8Array, every = 64): Needle[] =>
  Array.from({ length: Math.floor(bytes.length / every) }, (_, i) => ({
    what,
    bytes: Buffer.from(bytes.subarray(i * every, i * every + 32)),
  }));

const envelopes = alice.sent
  .filter(({ path }) => path === '/v1/send')
  .flatMap(({ body }) => decodeSend(body).envelopes.map((envelope) => envelope.body));
const stolen = await stealDatabases(island.data);
const opened = await unsealed(island.data, stolen);
const segments = rowsOf(opened, 'archive', 'segments').map((row) => bytesIn(row, 'bytes'));
const uploads = alice.sent.filter(({ method }) => method === 'PUT');
const caKeys = caKeysOf(await readMaster(masterKey, id));
const authorities = [
  (await loadPair(layout.pki, 'issuing', caKeys)).current,
  (await loadPair(layout.pki, 'edge', caKeys)).current,
];
const invite = new URL(String(island.welcome.invite).replace('#', '?')).searchParams;

const needles = [
  ...words.flatMap((text) => spellings('the text of a message', text)),
  ...envelopes.flatMap((body) => pieces('an envelope', body)),
  ...segments.flatMap((segment) => pieces('a segment', segment)),
  ...files.flatMap((bytes) => pieces('a file', bytes, 8192)),
  ...uploads.flatMap(({ body }) => pieces('what was uploaded of a file', body, 8192)),
  ...attachments.flatMap(({ fileKey }) => spellings('the key of a file', fileKey)),
  ...authorities.flatMap(({ role, key }) => keySpellings(`the key of the ${role} CA`, key)),
  ...spellings('an access token', access),
  ...spellings('a refresh token', Buffer.from(refresh, 'base64url')),
  ...spellings('a refresh token', refresh),
  ...spellings('a secret of six digits', Secret.fromBase32(secret).bytes),
  ...spellings('a secret of six digits', secret),
  ...spellings('the setup token', String(island.welcome.setupToken)),
  ...spellings('a password', alice.password),
  ...[...invite.values()]
    .filter((value) => value.length === 22)
    .flatMap((value) => spellings('an invite', value)),
];

/** An attachment as the island gives it out. */
async function stored(i: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const blob = attachments[i]?.blob ?? new Uint8Array();
  for await (const part of await getFrom(alice?.transport as Transport, blob, 0)) parts.push(part);
  return Buffer.concat(parts);
}

/** As somebody copies it; the run folder is gone when the island is. */
async function searchCopy(): Promise<string[]> {
  const copy = await mkdtemp(join(tmpdir(), 'stolen-'));
  try {
    await cp(island.data, copy, { recursive: true, filter: (path) => !/\.sock$/.test(path) });
    return (await searchFiles([copy], needles)).hits;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

t.test('M5: what is looked for is there once it is opened with the master key', async (t) => {
  t.equal(envelopes.length, 3);
  t.ok(segments.length > 0);
  t.ok(uploads.length >= attachments.length);
  for (const [i, bytes] of files.entries())
    t.equal((await stored(i)).length, uploads[i]?.body.length, `${bytes.length} bytes are kept`);
  const bodies = rowsOf(opened, 'delivery', 'envelopes').map((row) => bytesIn(row, 'body'));
  for (const envelope of envelopes)
    t.ok(
      bodies.some((body) => Buffer.compare(body, envelope) === 0),
      'an envelope as it was sent',
    );
});

t.test('M5: a copy of the data folder of a running island shows nothing of it', async (t) => {
  t.same(await searchCopy(), []);
});

t.test(
  'M5: nor does one of an island at rest; free pages and journals are part of it',
  async (t) => {
    await island.stop();
    t.same(await searchCopy(), []);
  },
);

/** Exchanges a column of two rows; the island is down. */
function exchange(service: ServiceName, table: string, column: string, rows: [string, string]) {
  const file = join(layout.service(service), `${service}.sqlite`);
  using database = new DatabaseSync(file, { enableForeignKeyConstraints: false });
  const read = (where: string) =>
    database.prepare(`select ${column} as value from ${table} where ${where}`).get()?.['value'];
  const [one, other] = [read(rows[0]), read(rows[1])];
  const write = (value: unknown, where: string) => {
    const { changes } = database
      .prepare(`update ${table} set ${column} = ? where ${where}`)
      .run(value as Uint8Array);
    if (Number(changes) !== 1) throw new Error(`not one row: ${where}`);
  };
  write(other, rows[0]);
  write(one, rows[1]);
}

/** The same of the second pieces of two attachments. */
async function exchangePieces(one: number, other: number): Promise<void> {
  const paths = [one, other].map((i) =>
    join(layout.service('media'), 'blobs', hex(attachments[i]?.blob ?? new Uint8Array())),
  );
  const [a, b] = await Promise.all(paths.map((path) => readFile(path)));
  if (a === undefined || b === undefined) throw new Error('there are no two attachments');
  const [from, to] = [blobPieceBytes + recordBytes, 2 * (blobPieceBytes + recordBytes)];
  const piece = Buffer.from(a.subarray(from, to));
  b.copy(a, from, from, to);
  piece.copy(b, from);
  for (const [i, bytes] of [a, b].entries()) await writeFile(paths[i] ?? '', bytes);
}

const inLog = async (name: string, event: string): Promise<string[]> =>
  (await readFile(join(layout.log, `${name}.log`), 'utf8'))
    .split('\n')
    .filter((line) => line.includes(event));

t.test('M5: rows that were exchanged are refused by name, and they alone are lost', async (t) => {
  const hers = `account = '${alice.account.account}'`;
  exchange('archive', 'segments', 'bytes', [`${hers} and seq = 1`, `${hers} and seq = 2`]);
  await exchangePieces(0, 1);
  exchange('delivery', 'envelopes', 'body', ['seq = 1', 'seq = 2']);
  exchange('accounts', 'people', 'password_key', ["name = 'alice'", "name = 'bob'"]);
  await island.start();

  const heard: string[] = [];
  await using islander = await bob.open();
  islander.startReceiving();
  for await (const group of arrivals(bob.joining.storage, AbortSignal.timeout(60_000))) {
    heard.push(...group.map((each) => (each.type === 'message' ? each.text : each.type)));
    if (heard.length > 0) break;
  }
  t.same(heard, ['the third of all'], 'the third comes, and nothing of the other two');

  t.equal(await refusal(await askingToJoin(alice)), 'internal', 'her key does not open in her row');
  t.equal(await refusal(await askingToJoin(carol)), 'accepted', 'hers, which nobody touched, does');

  const told = await inLog('core', 'envelope_unopened');
  t.equal(told.length, 2);
  t.ok(told.every((line) => line.includes('record_unopened')));
});

t.test('M5: so are segments of an archive, which are read from another device', async (t) => {
  const path = { after: '0' };
  const { segments: given } = await alice.session.call('archiveRead', {}, { path });
  const all = rowsOf(opened, 'archive', 'segments')
    .filter(({ account }) => account === alice.account.account)
    .sort((a, b) => Number(a['seq']) - Number(b['seq']))
    .map((row) => Buffer.from(bytesIn(row, 'bytes')).toString('hex'));
  t.ok(all.length > 2);
  t.same(
    given.map((segment) => Buffer.from(segment).toString('hex')),
    all.slice(2),
    'all but the two',
  );
  t.equal((await inLog('core', 'segment_unopened')).length, 2);
});

t.test('M5: and pieces of attachments', async (t) => {
  await t.rejects(stored(0));
  await t.rejects(stored(1));
  t.equal((await stored(2)).length, uploads[2]?.body.length, 'the third is as it was');
  const told = await inLog('front', 'piece_unopened');
  t.equal(told.length, 2);
  t.ok(told.every((line) => line.includes('record_unopened') && line.includes('"warn"')));
});

t.test('M5: without the master key the island does not start, and says what to do', async (t) => {
  await island.stop();
  t.ok(existsSync(masterKey));
  const kept = await readFile(masterKey);
  await rm(masterKey);
  const { code, stderr } = await startCommand(['up', '--data', island.data]).ended;
  t.equal(code, 1);
  t.match(stderr, /The master key .* is missing, and without it nothing in .* opens/);
  t.notOk(existsSync(masterKey), 'nor is it made anew');
  await writeFile(masterKey, kept, { mode: 0o600 });
  await island.start();
  t.ok(await island.answers());
});

t.test(
  'M5: the master key is rotated while the island runs, also when it is killed meanwhile',
  async (t) => {
    const text = () => readFile(masterKey, 'utf8');
    const before = await text();
    const { code, stdout } = await island.run('rotate');
    t.equal(code, 0, stdout);
    const after = await text();
    t.match(after.split('\n')[2], /^2 /);
    t.notMatch(after, before.split('\n')[2] ?? '-', 'the former version is gone');

    const asked = startCommand(['rotate', '--data', island.data]);
    await island.stop('SIGKILL');
    await asked.ended;
    await island.start();
    const { status } = await settled();
    t.match(status, { done: true, waiting: [] });
    t.match((await text()).trimEnd().split('\n').length, 3, 'one version is left');
    await say(carol, 'bob', 'after all of it');
  },
);

async function settled() {
  for (;;) {
    const status = await askRotation(island.data, 'GET');
    if (status.done && status.waiting.length === 0) return { status };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
