/** Asking the devices that posted for the chains that are not here. docs/protocol/channel.md §8 */
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import type { AccountId, ChannelId } from '@island/protocol/wire/ids.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import { isBlocked, readContact } from '../people/contacts.ts';
import { keysRow } from '../sending/outbox.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { mayAsk } from './answers.ts';
import type { Waiting } from './feed-rows.ts';
import { batchOf, noChanges, through } from './rows.ts';

/** Milliseconds for which a key may be on its way. */
const patience = 2_000;

export interface Asking {
  account: { account: AccountId; name: string };
  storage: Storage;
  now: () => number;
}

/**
 * Asks for the chains of posts that wait, where their author can still be asked. Resolves with the milliseconds after
 * which there is more to ask, if there is.
 */
export async function askFor(
  { account, storage, now }: Asking,
  state: SpaceState,
  channel: ChannelId,
  waiting: readonly Waiting[],
): Promise<number | undefined> {
  const { space } = state;
  let soon: number | undefined;
  const asked = new Set<string>();
  for (const { chain, author, since } of waiting) {
    if (asked.has(chain)) continue;
    asked.add(chain);
    const left = Math.min(since + patience - now(), patience);
    if (left > 0) {
      soon = Math.min(soon ?? left, left);
      continue;
    }
    const name = author === account.account ? account.name : state.members.get(author)?.name;
    if (name === undefined || isBlocked(await readContact(storage, author))) continue;
    await untilCommitted(async () => {
      const changes = noChanges();
      if (!(await mayAsk(through(storage, changes), changes, chain, now()))) return;
      const body = { kind: 'channel-key-wanted', space, channel, chain: fromHex(chain) } as const;
      const plaintext = { id: randomBytes(16), sentAt: now(), body };
      const append = [keysRow(name, { space, channel, account: author }, plaintext)];
      await storage.commit({ ...batchOf(changes), append });
    });
  }
  return soon;
}
