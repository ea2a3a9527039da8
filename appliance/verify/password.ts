/** A1: what becomes of a password, on the wire and at rest, and what a recorded sign-in is good for. docs/protocol/accounts.md §2, §3 */
import { createHash, randomBytes } from 'node:crypto';
import { call, type Transport } from '@island/client/transport/transport.ts';
import { kdfFloor } from '@island/protocol/crypto/password.ts';
import { personName } from '@island/protocol/wire/ids.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import { type Finding, type Findings, found } from './finding.ts';
import { lastTo, type Person, registration } from './people.ts';
import type { Scene } from './scene.ts';
import { refusal } from './storm.ts';
import { among, searchFiles, spellings } from './traces.ts';

export async function checkPassword({ layout }: Scene, person: Person): Promise<Findings> {
  await person.login();
  const { password, hashes, sent } = person;
  const { credentials } = registration(sent);
  if (!('auth' in credentials)) throw new Error('the registration had no password');
  const { auth, kdf, key } = credentials;
  const fast = ['md5', 'sha1', 'sha256', 'sha512'].flatMap((name) =>
    spellings(`its ${name}`, createHash(name).update(password).digest()),
  );
  const raw = hashes.flatMap((hash) => spellings('its Argon2id hash', hash));
  const secrets = [...spellings('the password', password), ...fast, ...raw];
  const told = [...new Set(sent.flatMap(({ body }) => among(secrets, body)))];
  const verifiers = [
    ...spellings('what the client shows', fromBase64url(auth)),
    ...spellings('the public half of its key', fromBase64url(key)),
  ];
  const kept = await searchFiles([layout.service(''), layout.log], [...secrets, ...verifiers]);
  const strong = Object.entries(kdfFloor).every(
    ([name, least]) => kdf[name as keyof typeof kdf] >= least,
  );
  const cost = `${kdf.memory / 1024} MiB, ${kdf.passes} passes, ${kdf.lanes} lanes`;
  return {
    summary: `${sent.length} requests and ${kept.files} stored files hold neither password nor hash; Argon2id with ${cost}; a recorded sign-in signs nobody in`,
    findings: [
      found(
        told.length === 0,
        `${sent.length} recorded requests hold ${told.join(', ') || 'no spelling of the password, of a fast hash or of its Argon2id hash'}`,
      ),
      found(hashes.length > 0 && strong, `the client hashed with Argon2id: ${cost}`),
      found(
        kept.hits.length === 0 && kept.files > 0,
        kept.hits.join('; ') ||
          `${kept.files} files (${kept.bytes} bytes) of databases and logs hold neither those, nor what signs in, nor anything that a guess could be compared with`,
      ),
      ...(await checkRecorded(person)),
      await checkUnknown(person),
    ],
  };
}

/** What somebody can do who has everything that was ever sent, and not the device. */
async function checkRecorded(person: Person): Promise<Finding[]> {
  const { transport, sent } = person;
  const recorded = lastTo(sent, 'login');
  const again = await refusal(() => call(transport, 'login', recorded));
  const fresh = async (over: Transport) => base64url((await call(over, 'nonce', {})).nonce);
  const renewed = await refusal(async () =>
    call(transport, 'login', { ...recorded, nonce: await fresh(transport) }),
  );
  const { name, credentials } = recorded;
  const joining = await refusal(async () =>
    call(transport, 'beginJoining', { name, credentials, nonce: await fresh(transport) }),
  );
  const wrong = await refusal(() =>
    person.login({ password: randomBytes(18).toString('base64url') }),
  );
  return [
    found(again === 'challenge_expired', `a recorded sign-in, sent again as it was: ${again}`),
    found(renewed === 'wrong_credentials', `the same with a fresh nonce: ${renewed}`),
    found(joining === 'wrong_credentials', `the same, to join with a new device: ${joining}`),
    found(wrong === 'wrong_credentials', `a wrong password: ${wrong}`),
  ];
}

/** Names can't be told from what prelogin answers. */
async function checkUnknown({ transport, name }: Person): Promise<Finding> {
  const unknown = personName(`verify-${randomBytes(5).toString('hex')}`);
  const ask = async (whose: string) => call(transport, 'prelogin', { name: personName(whose) });
  const [theirs, first, second] = [await ask(name), await ask(unknown), await ask(unknown)];
  const steady = base64url(first.salt) === base64url(second.salt);
  const alike = JSON.stringify(theirs.kdf) === JSON.stringify(first.kdf);
  return found(
    steady && alike,
    `a name that nobody has is answered ${steady && alike ? 'like one that somebody has: the same parameters, and a salt that stays' : 'IN ANOTHER WAY'}`,
  );
}
