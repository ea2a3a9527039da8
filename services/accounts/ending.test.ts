/** The end of an account over all services, on real SQLite, NATS and Redis. docs/protocol/accounts.md §10 */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { deviceId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { archive } from '../archive/contract.ts';
import { archiveService } from '../archive/service.ts';
import { none, segmentAfter } from '../archive/testing/chain.ts';
import { delivery } from '../delivery/contract.ts';
import { deliveryService } from '../delivery/service.ts';
import { envelope } from '../delivery/testing/lists.ts';
import { directory } from '../directory/contract.ts';
import { directoryService } from '../directory/service.ts';
import { eventually, faultCode } from '../kit/testing/outcome.ts';
import { spacesService } from '../spaces/service.ts';
import { accounts } from './contract.ts';
import { accountsService } from './service.ts';
import type { Asker } from './sessions/session-ends.ts';
import { askerOf, testAccounts } from './testing/accounts.ts';
import {
  type Applicant,
  newPassword,
  random,
  shownCode,
  shownPassword,
} from './testing/applicant.ts';

const running = await testAccounts([
  directoryService,
  accountsService,
  archiveService,
  spacesService,
]);
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, control, joined, login, nonce } = running;
let mail = await running.start(deliveryService);
const folder = dirname((await island.kit('gateway')).data);

async function endOf(person: Applicant, asker: Asker, change: object = {}) {
  const at = await nonce();
  return {
    ...asker,
    credentials: shownPassword(person, at),
    nonce: at,
    origin: random(16),
    ...change,
  };
}
type EndRequest = Awaited<ReturnType<typeof endOf>>;
const end = (request: object) => gateway.call(accounts, 'endAccount', request as EndRequest);

/** Every byte of every database that is on the disk. */
async function onDisk(): Promise<Buffer> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const stored = files.filter((file) => file.isFile() && file.name.includes('.sqlite'));
  return Buffer.concat(
    await Promise.all(stored.map((file) => readFile(join(file.parentPath, file.name)))),
  );
}

/** Mail, a delivery key, tokens and an archive. */
async function lived({ keys }: Applicant): Promise<void> {
  const { account } = keys;
  await gateway.call(delivery, 'setKey', { account, epoch: 1, hash: random(32), cut: false });
  const { keys: issued } = await gateway.call(delivery, 'tokenKeys', {});
  t.ok(issued.length > 0);
  const first = segmentAfter(account, none);
  await faultCode(
    gateway.call(archive, 'append', { account, device: deviceId(1), segment: first.bytes }),
  );
}

t.test('A1, A2: only who shows what signs in ends an account', async (t) => {
  const ada = await joined('adalovelace');
  const asker = askerOf(await login(ada));
  const wrong = { ...ada, password: newPassword() };
  t.equal(await faultCode(end(await endOf(wrong, asker))), 'wrong_credentials');
  const other = await endOf(ada, { ...asker, session: 'f'.repeat(32) });
  t.equal(await faultCode(end(other)), 'session_revoked');
  const totp = await running.withTotp(asker);
  t.equal(await faultCode(end(await endOf(ada, asker))), 'second_factor_needed');
  const digits = { second: { totp: totp.digits(1) } };
  t.equal(await faultCode(end(await endOf(wrong, asker, digits))), 'wrong_credentials');
  t.match(await gateway.call(accounts, 'account', asker), { name: 'adalovelace', codes: 8 });
  const [code] = ada.codes;
  if (code === undefined) throw new Error('a code');
  await end(await endOf(ada, asker, { second: shownCode(code) }));
  t.equal(await faultCode(gateway.call(accounts, 'account', asker)), 'session_revoked');
});

t.test('D1: of an account that was ended nothing is left in any database', async (t) => {
  const bob = await joined('bobthebuilder');
  const { account } = bob.keys;
  await lived(bob);
  const tokens = await login(bob);
  const asker = askerOf(tokens);
  const told: string[] = [];
  using listening = gateway.subscribe(accounts, 'ended', account, ({ session }) =>
    told.push(session),
  );
  await listening.ready;
  t.ok((await onDisk()).includes('bobthebuilder'), 'it was there');
  await end(await endOf(bob, asker));
  await eventually(() => told.includes(asker.session));
  t.ok((await gateway.call(accounts, 'endings', {})).sessions.includes(asker.session));
  t.equal(await faultCode(running.refresh(bob.keys, tokens.refresh)), 'unauthenticated');
  t.equal(await faultCode(login(bob)), 'wrong_credentials');
  t.equal(await faultCode(end(await endOf(bob, asker))), 'unauthenticated');
  const put = { tokens: [], context: random(16), account, epoch: 1, envelopes: [envelope(1)] };
  t.not(await faultCode(gateway.call(delivery, 'put', put)), 'resolved');
  const everything = await onDisk();
  const traces = {
    'the name': 'bobthebuilder',
    'the account': Buffer.from(account, 'hex'),
    'the account in hex': account,
    'the identity key': Buffer.from(bob.list.aik),
    'the device key': Buffer.from(bob.keys.dsk.public),
    'the record': Buffer.from(bob.keeping.record),
    'the salt': Buffer.from(bob.password.salt),
  };
  for (const [what, bytes] of Object.entries(traces)) t.notOk(everything.includes(bytes), what);
  t.equal(await faultCode(joined('bobthebuilder')), 'name_taken');
});

t.test('pitfall: a service that is away is told later, also by the next process', async (t) => {
  const cyd = await joined('cydcharisse');
  const { account } = cyd.keys;
  await lived(cyd);
  const asker = askerOf(await login(cyd));
  await mail[Symbol.asyncDispose]();
  await end(await endOf(cyd, asker));
  t.equal(await faultCode(login(cyd)), 'wrong_credentials', 'over for whoever asks');
  t.ok((await onDisk()).includes(account), 'and not gone everywhere');
  mail = await running.start(deliveryService);
  running.clock.ahead += 1000;
  const store = await running.start(accountsService).catch((error: unknown) => error);
  t.ok(store);
  await eventually(async () => !(await onDisk()).includes(Buffer.from(account, 'hex')));
  t.notOk((await onDisk()).includes('cydcharisse'));
});

t.test('an operator ends the account of a name, once', async (t) => {
  const dan = await joined('dandelion');
  const asker = askerOf(await login(dan));
  await control.call(accounts, 'end', { name: 'dandelion' });
  t.equal(await faultCode(gateway.call(accounts, 'account', asker)), 'session_revoked');
  t.equal(await faultCode(control.call(accounts, 'end', { name: 'dandelion' })), 'unknown_person');
  const { steps } = await gateway.call(directory, 'ended', { account: dan.keys.account, after: 0 });
  t.equal(steps.length, 2);
});

t.end();
