/**
 * A new password, on the word of the old one or of a backup code. docs/protocol/accounts.md §2
 *
 * Devices, codes and archive stay as they are; all other sessions end. The same change again, after a
 * lost answer, changes nothing.
 */
import { hashPassword, kdfFloor } from '@island/protocol/crypto/password.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { RequestText } from '@island/protocol/wire/routes.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { type AccountRecord, accountKey, accountRow, decodeAccount } from '../account/account.ts';
import { presentHere } from '../account/adoption.ts';
import type { Keeping } from '../account/key-changes.ts';
import { renewAfterCode } from '../account/own-devices.ts';
import { insist } from '../insist.ts';
import type { Joining } from '../joining/joining-parts.ts';
import { Problem } from '../problem.ts';
import { untilCommitted } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { showCredentials } from './credentials.ts';
import { withNonce } from './nonces.ts';
import { showCode } from './two-factor.ts';

export interface PasswordChange {
  /** The password of now, or a backup code as somebody typed it: it is used up, and the archive has a new key. */
  authority: { password: string } | { code: string };
  next: string;
}

/**
 * Throws `wrong_credentials`, `wrong_code`, `kdf_downgrade`, `salt_changed`, `CodeMistake`; `forbidden` for
 * somebody who signs in with the organisation only.
 */
export async function changePassword(
  joining: Joining,
  keeping: Keeping,
  transport: Transport,
  { authority, next }: PasswordChange,
): Promise<void> {
  const { platform, report, signal } = joining;
  const { self } = await presentHere(keeping.storage);
  const proving = await prove(joining, keeping, transport, self, authority);
  report?.('hashing');
  const salt = randomBytes(16);
  const { kdf } = self.password ?? { kdf: kdfFloor };
  const { auth, key } = await hashPassword(next, salt, kdf, platform.argon2id);
  const kept = { salt: base64url(salt), kdf, auth: base64url(auth), key: base64url(key.public) };
  report?.('registering');
  await insist(
    () =>
      withNonce(
        transport,
        (nonce) => {
          const request = { authority: proving(nonce), next: kept, nonce: base64url(nonce) };
          return keeping.session.call('changePassword', request, signal ? { signal } : {});
        },
        signal,
      ),
    { signal, onWaiting: () => report?.('waiting') },
  );
  await remember(joining, { salt, kdf });
  if ('code' in authority) await insist(() => renewAfterCode(keeping), { signal });
}

type Proving = (nonce: Uint8Array) => RequestText<'changePassword'>['authority'];

async function prove(
  joining: Joining,
  keeping: Keeping,
  transport: Transport,
  { name, root, device, password }: AccountRecord,
  authority: PasswordChange['authority'],
): Promise<Proving> {
  if ('code' in authority) {
    const code = await showCode(keeping, joining.platform, authority.code);
    return () => code;
  }
  const asker = { name, root, device, password };
  const showing = await showCredentials(joining, transport, asker, authority, undefined);
  return (nonce) => {
    const { credentials } = showing.at(nonce);
    if (!('auth' in credentials)) throw new Fault('internal');
    return credentials;
  };
}

const remember = ({ storage }: Joining, password: AccountRecord['password']): Promise<unknown> =>
  untilCommitted(async () => {
    const row = await storage.read(accountKey.namespace, accountKey.key);
    if (!row) throw new Problem('not_registered', { home: storage.place });
    await storage.commit({
      put: [accountRow({ ...decodeAccount(row), ...(password && { password }) })],
      expect: [{ ...accountKey, version: row.version }],
    });
  });
