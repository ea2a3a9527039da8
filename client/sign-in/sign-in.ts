/**
 * Signing in the device of this home again. docs/protocol/accounts.md §3
 *
 * It takes the device's own key beside the password: neither a stolen password nor a recorded request
 * gives anybody a session.
 */
import { aboutLogin, proofUses, proveDevice } from '@island/protocol/crypto/session-proof.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import {
  type AccountRecord,
  accountKey,
  accountRow,
  decodeAccount,
  openAccount,
  readAccount,
} from '../account/account.ts';
import type { Joining } from '../joining/joining-parts.ts';
import { joiningPlace } from '../joining/joining-row.ts';
import { registeredBatch } from '../joining/registration.ts';
import { Problem } from '../problem.ts';
import { untilCommitted } from '../storage/storage.ts';
import { call } from '../transport/transport.ts';
import { type Credentials, type Second, showCredentials } from './credentials.ts';
import { withNonce } from './nonces.ts';
import { sessionRow } from './session.ts';

export type Shown = Credentials & {
  second?: Second | undefined;
  /** The person says that the password was changed on another device: its salt is another one then. */
  passwordChanged?: boolean | undefined;
};

/**
 * Throws the island's faults: `wrong_credentials`; `second_factor_needed`, then the same again with
 * `second`; `wrong_totp`, `totp_used`, `wrong_code`. Throws `kdf_downgrade` and `salt_changed` when the
 * island asks for another hash of the password than this device has used before, `no_device_keys`,
 * `device_removed`, `other_account`.
 */
export async function signIn(joining: Joining, shown: Shown): Promise<AccountRecord> {
  const { storage, platform, report, signal } = joining;
  const known = await readAccount(storage);
  if (!known) throw new Problem('no_device_keys', { home: storage.place });
  const { account, device, dsk } = openAccount(known);
  report?.('connecting');
  await using transport = platform.transport(known);
  const { name, root, password, codes } = known;
  const { second, passwordChanged } = shown;
  const asker = { name, root, device, password, codes, passwordChanged };
  const showing = await showCredentials(joining, transport, asker, shown, second);
  report?.('registering');
  const about = aboutLogin(showing.shown);
  const answer = await withNonce(
    transport,
    (nonce) => {
      const proof = proveDevice(dsk, { nonce, account, device, use: proofUses.login, about });
      return call(transport, 'login', {
        name,
        ...showing.at(nonce),
        device,
        nonce: base64url(nonce),
        deviceProof: base64url(proof),
      });
    },
    signal,
  );
  if (answer.account !== account) throw new Problem('other_account', { home: storage.place });
  return signedIn(joining, answer, showing.password);
}

/** The session, and with what the password was hashed; also ends a registration or a joining whose answer was lost. */
function signedIn(
  { storage, now }: Joining,
  tokens: { access: string; refresh: string },
  password: AccountRecord['password'],
): Promise<AccountRecord> {
  return untilCommitted(async () => {
    const row = await storage.read(accountKey.namespace, accountKey.key);
    if (!row) throw new Problem('no_device_keys', { home: storage.place });
    const held = decodeAccount(row);
    const account: AccountRecord = { ...held, ...(password && { password }) };
    const expect = [{ ...accountKey, version: row.version }];
    if (held.state === 'pending') {
      const batch = await registeredBatch(storage, account, tokens, now());
      const remove = [...(batch.remove ?? []), joiningPlace];
      await storage.commit({ ...batch, remove, expect });
      return { ...account, state: 'registered' };
    }
    await storage.commit({ put: [accountRow(account), sessionRow(tokens, now())], expect });
    return account;
  });
}
