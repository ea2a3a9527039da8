/** The island's word for a sender: who gets it, under which key, and that keys and root outlive a restart. Real SQLite, real NATS. M2 */
import { randomBytes } from 'node:crypto';
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import {
  certificateBytes,
  checkCertificateTime,
  openCertificate,
  readSenderKey,
  senderKeyBytes,
} from '@island/protocol/crypto/sender-certificate.ts';
import { type AccountId, accountId, type DeviceId, deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { structureBytes } from '@island/protocol/wire/route.ts';
import t from 'tap';
import { faultCode } from '../kit/testing/outcome.ts';
import { directory } from './contract.ts';
import { testDirectory } from './testing/directory.ts';
import type { Newcomer } from './testing/newcomer.ts';

const day = 86_400_000;
const running = await testDirectory();
t.teardown(() => running[Symbol.asyncDispose]());
const { gateway, clock } = running;

const rootOf = async () => (await gateway.call(directory, 'senderRoot', {})).root;
const issue = async (account: AccountId, device: DeviceId) =>
  (await gateway.call(directory, 'certificate', { account, device })).certificate;
const at = ({ enrolment: { account, device } }: Newcomer) => ({ account, device });
const keyOf = async (bytes: Uint8Array) =>
  readSenderKey(bytes.subarray(0, senderKeyBytes), await rootOf());

t.test('a certificate says of a device what the present list says of it', async (t) => {
  const person = await running.enrolled('ada');
  const { account, device } = at(person);
  const bytes = await issue(account, device);
  t.equal(bytes.length, certificateBytes);
  t.equal(certificateBytes, structureBytes.senderCertificate);
  const opened = openCertificate(bytes, await rootOf(), clock.now());
  t.match(opened, { name: 'ada', account, device, listEpoch: 1 });
  t.same(
    [opened.aik, opened.dsk, opened.dik],
    [person.aik.public, person.keys.dsk.public, person.keys.dik.public],
  );
  t.equal(opened.expires - opened.notBefore, limits.senderCertificateSeconds);
  t.equal(opened.notBefore % 3600, 0, 'it begins with an hour, whenever it was asked for');
  t.ok(opened.notBefore * 1000 <= clock.now() && clock.now() - opened.notBefore * 1000 < 3_600_000);
});

t.test('nobody else gets one: no such device, no such account', async (t) => {
  const { account } = at(await running.enrolled('bea'));
  t.equal(await faultCode(issue(account, deviceId(2))), 'unknown_device');
  const nobody = accountId(randomBytes(16).toString('hex'));
  t.equal(await faultCode(issue(nobody, deviceId(1))), 'unknown_person');
});

t.test('keys change every two weeks; what the last one signed stays good', async (t) => {
  const { account, device } = at(await running.enrolled('cleo'));
  const begun = clock.ahead;
  t.teardown(() => {
    clock.ahead = begun;
  });
  const first = await issue(account, device);
  const root = await rootOf();
  clock.ahead = begun + (limits.senderKeyRotationDays - 1) * day;
  const same = await issue(account, device);
  t.equal((await keyOf(same)).kid, (await keyOf(first)).kid);
  clock.ahead = begun + limits.senderKeyRotationDays * day;
  const [next, again] = await Promise.all([issue(account, device), issue(account, device)]);
  t.equal((await keyOf(next)).kid, (await keyOf(first)).kid + 1);
  t.equal((await keyOf(again)).kid, (await keyOf(next)).kid, 'one new key, however many ask');
  t.same(await rootOf(), root);
  const old = openCertificate(same, root, clock.now());
  t.ok(old.kid < (await keyOf(next)).kid);
  const last = (old.expires + (limits.envelopeDays + 1) * 86_400) * 1000;
  checkCertificateTime(old, last);
  t.throws(() => checkCertificateTime(old, last + 1000), CryptoFault);
  clock.ahead = begun + 400 * day;
  openCertificate(await issue(account, device), root, clock.now());
  clock.ahead = begun;
  openCertificate(await issue(account, device), root, clock.now());
  t.pass('also after a long stop, and when the clock was put back');
});

t.test('root and key outlive a restart; another island has others', async (t) => {
  const { account, device } = at(await running.enrolled('dora'));
  const before = { root: await rootOf(), key: await keyOf(await issue(account, device)) };
  await running.restart();
  t.same(await rootOf(), before.root);
  t.same(await keyOf(await issue(account, device)), before.key);
  await using other = await testDirectory();
  t.notSame((await other.gateway.call(directory, 'senderRoot', {})).root, before.root);
});
