/** Ways back in for whoever was shut out, on real SQLite, NATS and Redis. docs/protocol/devices.md §6 */
import { proofUses, proveDevice } from '@island/protocol/crypto/session-proof.ts';
import t from 'tap';
import { archiveService } from '../../archive/service.ts';
import { directoryService } from '../../directory/service.ts';
import { faultCode } from '../../kit/testing/outcome.ts';
import type { RegisterRequest } from '../admission/registration.ts';
import { accounts } from '../contract.ts';
import { accountsService } from '../service.ts';
import { keysOf, nextKeys } from '../testing/account-keys.ts';
import { askerOf, testAccounts } from '../testing/accounts.ts';
import {
  type Applicant,
  applicant,
  newPassword,
  published,
  random,
  shownPassword,
} from '../testing/applicant.ts';
import { type Owner, ownersOf } from '../testing/owners.ts';

const running = await testAccounts([directoryService, accountsService, archiveService]);
t.after(() => running[Symbol.asyncDispose]());
const { gateway, application, invite, login, nonce, withTotp } = running;
const owners = ownersOf(running);

const register = (request: RegisterRequest) => gateway.call(accounts, 'register', request);
const account = (tokens: { access: string }) => gateway.call(accounts, 'account', askerOf(tokens));

/** Somebody new, and the very same registration again for a fresh nonce. */
async function registered(name: string) {
  const person = applicant(name);
  const request = await application(person, await invite());
  await register(request);
  const tokens = await login(person);
  const owner = { person, keys: keysOf(person), asker: askerOf(tokens), tokens };
  return { owner, again: () => repeated(person, request) };
}
async function repeated({ keys, list }: Applicant, request: RegisterRequest) {
  const fresh = await nonce();
  const claim = { ...keys, nonce: fresh, use: proofUses.register, about: list.hash };
  const deviceProof = new Uint8Array(proveDevice(keys.dsk, claim));
  return register({ ...request, nonce: fresh, deviceProof });
}

async function changePassword({ person, asker }: Owner) {
  const at = await nonce();
  const request = { ...asker, nonce: at, origin: random(16) };
  const authority = shownPassword(person, at);
  await gateway.call(accounts, 'changePassword', {
    ...request,
    authority,
    next: published(newPassword()),
  });
}

t.test('A4: a removed device that repeats its registration gets no session', async (t) => {
  const { owner, again } = await registered('ada');
  const second = await owners.second(owner);
  t.equal(await faultCode(again()), 'resolved', 'as long as it is on the list');
  const left = owners.newList(second.keys, { remove: [1], replace: 'rotate' });
  await owners.updateDevices(second.asker, nextKeys(second.keys, { owned: left, ark: 'rotate' }));
  t.equal(await faultCode(again()), 'account_exists');
  const { sessions } = await gateway.call(accounts, 'sessions', second.asker);
  t.same(
    sessions.map(({ device }) => device),
    [2],
  );
});

t.test('A2: a registration that is repeated is no way around the second factor', async (t) => {
  const { owner, again } = await registered('bea');
  await withTotp(owner.asker);
  t.equal(await faultCode(again()), 'account_exists');
  t.equal(await faultCode(login(owner.person)), 'second_factor_needed');
});

t.test('A1: after a new password a joining that was done gives no session again', async (t) => {
  const owner = await owners.owner('cyd');
  const joining = await owners.begin(owner);
  const next = owners.newDevice(owner.keys);
  const tokens = await owners.join(next, joining);
  t.equal(await faultCode(owners.join(next, joining)), 'resolved', 'a lost answer');
  await changePassword(owner);
  t.equal(await faultCode(account(tokens)), 'session_revoked');
  t.equal(await faultCode(owners.join(next, joining)), 'unauthenticated');
});

t.test('A4: nor after its session was ended by another device', async (t) => {
  const owner = await owners.owner('dan');
  const joining = await owners.begin(owner);
  const next = owners.newDevice(owner.keys);
  const { session } = askerOf(await owners.join(next, joining));
  await gateway.call(accounts, 'endSession', { ...owner.asker, end: session });
  t.equal(await faultCode(owners.join(next, joining)), 'unauthenticated');
});

t.test(
  'A4: of two joins at once with one joining, one following the other, one gets in',
  async (t) => {
    for (let i = 0; i < 4; i++) {
      const owner = await owners.owner(`eve${i}`);
      const joining = await owners.begin(owner);
      const first = owners.newDevice(owner.keys);
      const second = owners.newDevice(first.keys);
      const calls = [owners.join(first, joining)];
      // The list of the second follows that of the first: in time for when that is there, and not before the joining is done.
      for (let k = 0; k < 12; k++) {
        const request = await owners.request(second, joining);
        calls.push(gateway.call(accounts, 'join', request));
        calls.at(-1)?.catch(() => undefined);
      }
      const codes = await Promise.all(calls.map(faultCode));
      t.equal(codes.filter((code) => code === 'resolved').length, 1, `${codes}`);
    }
  },
);

t.end();
