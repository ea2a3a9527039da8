/**
 * A device list in the log that nobody of the account has signed: the directory had to refuse it, so the log convicts
 * itself by it, beside the list that is known here. docs/protocol/transparency.md §8.4, §9.1
 */
import type { ProvedLabel } from '@island/protocol/transparency/answer.ts';
import { mayFollow } from '@island/protocol/transparency/label-evidence.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { readAccount } from '../account/account.ts';
import { readPin } from '../people/people.ts';
import type { Storage } from '../storage/storage.ts';
import { type Court, type ShownLabel, unauthorised } from './convicting.ts';
import { latch } from './latch.ts';
import { provedOf } from './proved.ts';

/**
 * Throws `directory_contradicted` where both versions are at hand and convict the log; otherwise what does not follow
 * is refused by whoever reads it.
 */
export async function checkAuthorised(
  { storage, now }: { storage: Storage; now: () => number },
  { name, account }: { name: string; account: AccountId },
  shown: ShownLabel & { proved: ProvedLabel },
  court: () => Promise<Court>,
): Promise<void> {
  const { proved } = shown;
  const seen = await provedOf(storage, account);
  if (!seen || !proved.present || proved.version !== seen.version + 1) return;
  const known = await listOf(storage, name);
  if (!known || mayFollow(known, proved.state)) return;
  const evidence = await unauthorised(seen.shown, known, shown, await court());
  if (evidence)
    throw await latch(storage, new TransparencyFault('list_unauthorised'), now(), evidence);
}

/** The list that is known of somebody, or of the account here. */
async function listOf(storage: Storage, name: string): Promise<Uint8Array | undefined> {
  const own = await readAccount(storage);
  return own?.name === name ? own.list : (await readPin(storage, name)).list?.bytes;
}
