/** A2: six digits and backup codes, each good once, also when many come at once. docs/protocol/accounts.md §5, §6 */
import { beginTwoFactor, confirmTwoFactor, showCode } from '@island/client/sign-in/two-factor.ts';
import { openAuthenticator } from './authenticator.ts';
import { type Findings, found } from './finding.ts';
import { type Person, registration } from './people.ts';
import type { Scene } from './scene.ts';
import { manyTimes, oneOf, refusal, storm, told } from './storm.ts';
import { searchFiles, spellings } from './traces.ts';

/** Leaves the person without a second factor, and with a code less. */
export async function checkTwoFactor({ layout }: Scene, person: Person): Promise<Findings> {
  const { keeping, platform, session, name, codes } = person;
  const { secret } = await beginTwoFactor(keeping, { island: 'verify', name });
  const authenticator = openAuthenticator(secret);
  const before = await refusal(() => person.login());
  await confirmTwoFactor(keeping, await authenticator.digits());
  const without = await refusal(() => person.login());
  const wrongPassword = await refusal(() =>
    person.login({ password: 'not it', second: { totp: '000000' } }),
  );

  const totp = await authenticator.digits();
  const signIn = await person.signing({ second: { totp } });
  const digits = await storm(person, [platform], signIn);
  const account = await session.call('account', {});

  const second = await showCode(keeping, platform, codes[7] ?? '');
  const byCode = await storm(person, [platform], () => session.call('totpEnd', { second }));
  const after = await session.call('account', {});

  const proof = Buffer.from(second.code.proof, 'base64url');
  const needles = [
    ...spellings('the secret of the authenticator', secret),
    ...spellings('the proof of a code', proof),
    ...codes.flatMap((code) => spellings('a code', code.replaceAll('-', ''))),
    ...registration(person.sent).shares.flatMap(({ share }) =>
      spellings('the share of a code', Buffer.from(share, 'base64url')),
    ),
  ];
  const kept = await searchFiles([layout.service(''), layout.log], needles);
  return {
    summary: `of ${manyTimes} sign-ins at once with the same digits one was accepted, and of ${manyTimes} uses of one backup code`,
    findings: [
      found(
        before === 'accepted',
        `six-digit sign-in that is only begun: password alone ${before}`,
      ),
      found(without === 'second_factor_needed', `once it is on, the password alone: ${without}`),
      found(
        wrongPassword === 'wrong_credentials',
        `digits beside a wrong password, of which nothing is said: ${wrongPassword}`,
      ),
      found(
        oneOf(digits, ['totp_used', 'rate_limited']),
        `${manyTimes} sign-ins at once with the same six digits: ${told(digits)}`,
      ),
      found(account.totp && account.codes === 8, 'eight backup codes stand beside them'),
      found(
        oneOf(byCode, ['wrong_code', 'totp_inactive', 'rate_limited']),
        `${manyTimes} uses of one backup code at once, in place of the digits: ${told(byCode)}`,
      ),
      found(!after.totp && after.codes === 7, `after it ${after.codes} codes are good`),
      found(
        kept.hits.length === 0 && kept.files > 0,
        kept.hits.join('; ') ||
          `${kept.files} files of databases and logs hold no code, none of its parts, and no authenticator's secret`,
      ),
    ],
  };
}
