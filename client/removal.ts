/**
 * Why a device can't sign in although name and password are right: the account has it no more. The island
 * does not tell a stranger; whoever shows the password can read the lists. docs/protocol/devices.md §6
 */
import { base64url } from '@island/protocol/wire/text.ts';
import { readAccount } from './account.ts';
import { type Credentials, showCredentials } from './credentials.ts';
import type { Joining } from './joining-parts.ts';
import { ask } from './leave.ts';
import { withNonce } from './nonces.ts';
import { adoptOwnAccount } from './own-account.ts';
import { call } from './transport.ts';

/**
 * After `wrong_credentials`: throws `device_removed` or `account_reset` if that is why, the island's fault if
 * the credentials are wrong, and resolves when this device is on the list still. `totp`: where the account
 * has a second factor.
 */
export async function explainRefusal(
  joining: Joining,
  shown: Credentials & { totp?: string | undefined; passwordChanged?: boolean | undefined },
): Promise<void> {
  const { storage, platform, now, signal } = joining;
  const self = await readAccount(storage);
  if (!self) return;
  await using transport = platform.transport(self);
  const { name, password } = self;
  const { totp, passwordChanged } = shown;
  const second = totp === undefined ? undefined : { totp };
  const asker = { name, password, passwordChanged };
  const showing = await showCredentials(joining, transport, asker, shown, second);
  const options = signal ? { signal } : {};
  const { joining: token } = await withNonce(
    transport,
    (nonce) => {
      const request = { name, ...showing.at(nonce), nonce: base64url(nonce) };
      return call(transport, 'beginJoining', request, options);
    },
    signal,
  );
  await adoptOwnAccount({ storage, now, session: { call: ask({ transport, token }) }, ...options });
}
