/** Backup codes at sign-in (A2), on real SQLite, NATS and Redis. docs/protocol/accounts.md §6 */
import type { CodeKeys } from '@island/protocol/crypto/backup-code.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { faultCode } from '../../kit/testing/outcome.ts';
import { accounts } from '../contract.ts';
import { askerOf, testAccounts } from '../testing/accounts.ts';
import { type Applicant, newCode, newPassword, random, shownCode } from '../testing/applicant.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { gateway, clock, joined, login, beginJoining, withTotp } = running;
const somewhere = () => ({ origin: random(16) });

function codeOf({ codes }: Applicant, i = 0): CodeKeys {
  const code = codes[i];
  if (code === undefined) throw new Error('a code');
  return code;
}
const codesLeft = async (person: Applicant) => {
  const asker = askerOf(await login(person));
  return (await gateway.call(accounts, 'account', asker)).codes;
};

t.test('A2: 64 sign-ins at once with one code: one succeeds', async (t) => {
  const ada = await joined('ada');
  const asker = askerOf(await login(ada));
  await withTotp(asker);
  for (const [i, sign] of [login, beginJoining].entries()) {
    const second = shownCode(codeOf(ada, i));
    const calls = Array.from({ length: 64 }, () => sign(ada, { second, ...somewhere() }));
    const codes = await Promise.all(calls.map(faultCode));
    t.equal(codes.filter((code) => code === 'resolved').length, 1);
    t.equal(codes.filter((code) => code === 'wrong_code').length, 63);
  }
  t.match(await gateway.call(accounts, 'account', asker), { codes: 6 });
});

t.test('A2: a code that is unknown, used, or of somebody else: one answer', async (t) => {
  const ada = await joined('bea');
  const bob = await joined('bob');
  const used = codeOf(ada);
  await login(ada, { second: shownCode(used) });
  const wrongProof = { ...codeOf(ada, 1), proof: random(32) };
  for (const code of [newCode(), used, codeOf(bob), wrongProof]) {
    for (const sign of [login, beginJoining]) {
      const refused: Promise<unknown> = sign(ada, {
        second: shownCode(code),
        ...somewhere(),
      });
      await t.rejects(refused, { code: 'wrong_code', details: undefined });
    }
  }
  t.equal(await codesLeft(ada), 7, 'and none was used up by that');
  t.equal(await codesLeft(bob), 8);
});

t.test('A2: a code is of no use without the password', async (t) => {
  const ada = await joined('cleo');
  const second = shownCode(codeOf(ada));
  const blind = { password: newPassword(), second, ...somewhere() };
  await t.rejects(login(ada, blind), { code: 'wrong_credentials' });
  await t.rejects(beginJoining(ada, blind), { code: 'wrong_credentials' });
  t.equal(await codesLeft(ada), 8);
});

t.test('A2: what fails afterwards uses no code up', async (t) => {
  const ada = await joined('dora');
  const nonce = await running.nonce();
  await login(ada, { nonce });
  const second = shownCode(codeOf(ada));
  await t.rejects(login(ada, { nonce, second }), { code: 'challenge_expired' });
  await t.rejects(beginJoining(ada, { nonce, second }), { code: 'challenge_expired' });
  t.equal(await codesLeft(ada), 8);
});

t.test(
  'A3: the code that a joining began with gives its share to that joining alone',
  async (t) => {
    const ada = await joined('eve');
    const code = codeOf(ada, 3);
    const { account } = ada.keys;
    const sidOf = (token: string) =>
      String(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sid);
    const without = sidOf((await beginJoining(ada, somewhere())).joining);
    const joining = sidOf(
      (await beginJoining(ada, { second: shownCode(code), ...somewhere() })).joining,
    );
    const recover = (id: string, whose = account) =>
      gateway.call(accounts, 'recovery', { account: whose, joining: id });
    const given = ada.keeping.shares.find(({ loc }) => Buffer.from(loc).equals(code.loc));
    t.same(await recover(joining), given);
    t.same(await recover(joining), given, 'again, after a lost answer');
    await t.rejects(recover(without), { code: 'not_found' });
    await t.rejects(recover(joining, (await joined('else')).keys.account), {
      code: 'unauthenticated',
    });
    clock.ahead += limits.joiningSeconds * 1000;
    await t.rejects(recover(joining), { code: 'unauthenticated' }, 'for an hour');
  },
);

t.test(
  'codes are tried a few times an hour from one address, and not only for the wrong ones',
  async (t) => {
    const ada = await joined('flora');
    const here = somewhere();
    const attempt = () => login(ada, { second: shownCode(newCode()), ...here });
    for (let i = 0; i < limits.codeAttemptsPerHour; i++) {
      await t.rejects(attempt(), { code: 'wrong_code' });
    }
    await t.rejects(attempt(), { code: 'rate_limited' });
    await t.rejects(login(ada, { second: shownCode(codeOf(ada)), ...here }), {
      code: 'rate_limited',
    });
    await login(ada, { second: shownCode(codeOf(ada)), ...somewhere() });
    await login(ada, here);
  },
);

t.test(
  'A2: all eight codes can be used in one hour from one address: a right one is no guess',
  async (t) => {
    const ada = await joined('octavia');
    const here = somewhere();
    for (const code of ada.codes) {
      await t.resolves(login(ada, { second: shownCode(code), ...here }));
      await t.rejects(login(ada, { second: shownCode(code), ...here }), { code: 'wrong_code' });
    }
  },
);

t.end();
