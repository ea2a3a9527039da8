/** A1: what becomes of a password, on the wire and at rest. docs/protocol/accounts.md §2 */
import { createHash, randomBytes } from 'node:crypto';
import { kdfFloor } from '@island/protocol/crypto/password.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import { type Findings, found } from './finding.ts';
import { type Person, registration } from './people.ts';
import type { Scene } from './scene.ts';
import { among, searchFiles, spellings } from './traces.ts';

export async function checkPassword({ layout }: Scene, person: Person): Promise<Findings> {
  await person.login();
  const { password, hashes, sent } = person;
  const { credentials } = registration(sent);
  if (!('auth' in credentials)) throw new Error('the registration had no password');
  const { auth, kdf } = credentials;
  const fast = ['md5', 'sha1', 'sha256', 'sha512'].flatMap((name) =>
    spellings(`its ${name}`, createHash(name).update(password).digest()),
  );
  const raw = hashes.flatMap((hash) => spellings('its Argon2id hash', hash));
  const secrets = [...spellings('the password', password), ...fast, ...raw];
  const told = [...new Set(sent.flatMap(({ body }) => among(secrets, body)))];
  const proof = spellings('the proof that signs in', fromBase64url(auth));
  const kept = await searchFiles([layout.service(''), layout.log], [...secrets, ...proof]);
  const strong = Object.entries(kdfFloor).every(
    ([name, least]) => kdf[name as keyof typeof kdf] >= least,
  );
  const wrong = await refusal(() =>
    person.login({ password: randomBytes(18).toString('base64url') }),
  );
  const cost = `${kdf.memory / 1024} MiB, ${kdf.passes} passes, ${kdf.lanes} lanes`;
  return {
    summary: `${sent.length} requests and ${kept.files} stored files hold neither password nor hash; Argon2id with ${cost}`,
    findings: [
      found(
        told.length === 0,
        `${sent.length} recorded requests hold ${told.join(', ') || 'no spelling of the password, of a fast hash or of its Argon2id hash'}`,
      ),
      found(hashes.length > 0 && strong, `the client hashed with Argon2id: ${cost}`),
      found(
        kept.hits.length === 0 && kept.files > 0,
        kept.hits.join('; ') ||
          `${kept.files} files (${kept.bytes} bytes) of databases and logs hold neither those nor the proof that signs in: a stolen row can't sign in`,
      ),
      found(wrong === 'wrong_credentials', `a wrong password: ${wrong}`),
    ],
  };
}

/** The code with which something was refused; `accepted` when it was not. */
export const refusal = (work: () => Promise<unknown>): Promise<string> =>
  work().then(
    () => 'accepted',
    (error: unknown) => (error instanceof Fault ? error.code : String(error)),
  );
