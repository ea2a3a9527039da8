/**
 * Why a device can't sign in although name and password are right: the account has it no more. The island
 * does not tell a stranger; whoever shows the password can read the lists. docs/protocol/devices.md §6
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { type AccountRecord, readAccount } from '../account/account.ts';
import { adoptOwnAccount } from '../account/adoption.ts';
import { whySignedOut } from '../account/ending.ts';
import type { Joining } from '../joining/joining-parts.ts';
import { ask } from '../joining/leave.ts';
import { openProving } from '../transparency/proving.ts';
import { call } from '../transport/transport.ts';
import { showCredentials } from './credentials.ts';
import { withNonce } from './nonces.ts';
import { type Shown, signIn } from './sign-in.ts';

/** As `signIn`; a device that the account has no more is told so: `device_removed`, `account_reset`. */
export async function signInOrExplain(joining: Joining, shown: Shown): Promise<AccountRecord> {
  try {
    return await signIn(joining, shown);
  } catch (error) {
    await mustNotHaveEnded(joining, error);
    const refused = error instanceof Fault && error.code === 'wrong_credentials';
    if (refused && 'password' in shown) await explain(joining, shown, error);
    throw error;
  }
}

/** Throws `account_ended` where the log shows that. */
async function mustNotHaveEnded(
  { storage, platform, now, signal }: Joining,
  refusal: unknown,
): Promise<void> {
  const self = await readAccount(storage);
  if (!self) return;
  await using transport = platform.transport(self);
  const proving = openProving({ storage, transport, now });
  const why = await whySignedOut({ storage, transport, proving }, refusal, signal);
  if (why !== refusal) throw why;
}

async function explain(joining: Joining, shown: Shown, refusal: Fault): Promise<void> {
  try {
    await explainRefusal(joining, shown);
  } catch (error) {
    const wrong = error instanceof Fault && error.code === 'wrong_credentials';
    throw wrong ? refusal : error;
  }
}

/**
 * After `wrong_credentials`: throws `device_removed` or `account_reset` if that is why, the island's fault if
 * the credentials are wrong, and resolves when this device is on the list still. A backup code is not shown
 * for it.
 */
export async function explainRefusal(joining: Joining, shown: Shown): Promise<void> {
  const { storage, platform, now, signal } = joining;
  const self = await readAccount(storage);
  if (!self) return;
  await using transport = platform.transport(self);
  const { name, root, password } = self;
  const { passwordChanged } = shown;
  const second = shown.second && 'totp' in shown.second ? shown.second : undefined;
  const asker = { name, root, password, passwordChanged };
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
  await adoptOwnAccount({
    storage,
    now,
    session: { transport, call: ask({ transport, token }) },
    ...options,
  });
}
