/**
 * Ending one's own account, and hearing that it was ended. docs/protocol/accounts.md §10
 *
 * That it was asked for is on the disk before the island hears of it: whatever becomes of the answer, this home knows
 * that the end is its own doing. An end that no device here asked for is told as what it is: the island erased the
 * account.
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { insist } from '../insist.ts';
import type { Joining } from '../joining/joining-parts.ts';
import { Problem } from '../problem.ts';
import { type Credentials, type Second, showCredentials } from '../sign-in/credentials.ts';
import { withNonce } from '../sign-in/nonces.ts';
import { sessionKey } from '../sign-in/session.ts';
import type { Storage } from '../storage/storage.ts';
import { askEnded } from '../transparency/ended.ts';
import { openProving, type Proving } from '../transparency/proving.ts';
import type { Transport } from '../transport/transport.ts';
import { readAccount } from './account.ts';
import { presentHere } from './adoption.ts';
import type { Keeping } from './key-changes.ts';

const asked = { namespace: 'account', key: 'ending' };

/** Whether this home has asked for the end of its account. */
export const hasAskedToEnd = async (storage: Storage): Promise<boolean> =>
  (await storage.read(asked.namespace, asked.key)) !== undefined;

/**
 * Ends the account, for good. Answers whether the log shows it already; its witnesses may take a while. Asked again
 * after a lost answer it finds that the account is over. Throws `account_name_differs`, `wrong_credentials`,
 * `second_factor_needed`, `wrong_totp`, `wrong_code` and the like; then nothing has changed.
 */
export async function endAccount(
  joining: Joining,
  { storage, session, signal }: Keeping,
  transport: Transport,
  shown: { name: string; credentials: Credentials; second?: Second | undefined },
): Promise<{ published: boolean }> {
  const { self } = await presentHere(storage);
  const { name, account, root, device, password } = self;
  if (shown.name !== name) throw new Problem('account_name_differs', { name });
  const before = await hasAskedToEnd(storage);
  const asker = { name, root, device, password };
  const showing = await showCredentials(joining, transport, asker, shown.credentials, shown.second);
  if (!before)
    await storage.commit({ put: [{ ...asked, bytes: new TextEncoder().encode('asked') }] });
  try {
    await insist(
      () =>
        withNonce(
          transport,
          (nonce) => {
            const request = { ...showing.at(nonce), nonce: base64url(nonce) };
            return session.call('endAccount', request, signal ? { signal } : {});
          },
          signal,
        ),
      { signal, onWaiting: () => joining.report?.('waiting') },
    );
  } catch (error) {
    // The answer was lost, and the session ended with the account.
    const over = error instanceof Problem && error.code === 'signed_out';
    if (!over && error instanceof Fault) await storage.commit({ remove: [asked] });
    if (!over) throw error;
  }
  await storage.commit({ remove: [sessionKey] });
  const proving = openProving({ storage, transport, now: joining.now });
  const published = await askEnded(
    { storage, transport, proving },
    { name, account },
    signal,
  ).catch(() => false);
  return { published };
}

/** What a device meets whose account is not there any more. */
const locksOut = new Set<string>(['signed_out', 'wrong_credentials', 'salt_changed']);

/**
 * A device whose session is over looks whether its account is: `account_ended` in place of `signed_out`,
 * `wrong_credentials` or `salt_changed` where the log shows that. Everything else is as it was.
 */
export async function whySignedOut(
  parts: { storage: Storage; transport: Transport; proving: Pick<Proving, 'account'> },
  error: unknown,
  signal?: AbortSignal,
): Promise<unknown> {
  const known = error instanceof Problem || error instanceof Fault;
  const self = known && locksOut.has(error.code) ? await readAccount(parts.storage) : undefined;
  if (!self) return error;
  const { name } = self;
  try {
    const over = await askEnded(parts, self, signal);
    return over ? new Problem('account_ended', { name }, { cause: error }) : error;
  } catch {
    return error;
  }
}
