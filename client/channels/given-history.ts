/** What was posted before, as somebody passes it on: taken only from who may, by the log. docs/protocol/channel.md §9.1 */
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { openBundle, readBundle } from '@island/protocol/crypto/history-bundle.ts';
import { may } from '@island/protocol/space/permissions.ts';
import { keyEpochAt } from '@island/protocol/space/readers.ts';
import { isSameIdentity, type SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, SpaceId } from '@island/protocol/wire/ids.ts';
import type { Sender } from '../receiving/senders.ts';
import { takeChain } from './received-chains.ts';
import type { Changes, Reading } from './rows.ts';

/** Throws `malformed`. */
export const spaceOfBundle = (bytes: Uint8Array): SpaceId => readBundle(bytes).space;

/**
 * False where the sharer may not, by the log as it is known here; it may know more of it. What is refused of the
 * chains is told to `refused`. Throws what `openBundle` throws.
 */
export async function takeBundle(
  storage: Reading,
  changes: Changes,
  given: {
    state: SpaceState | undefined;
    from: Pick<Sender, 'person' | 'party'>;
    recipient: AccountId;
    bytes: Uint8Array;
  },
  refused: (why: string) => void,
): Promise<boolean> {
  const { state, from, recipient, bytes } = given;
  const { account: sharer, device, dsk } = from.party;
  const { space, channel, chains } = openBundle(bytes, dsk, { sharer, device, recipient });
  const there = state?.channels.get(channel);
  const member = state?.members.get(sharer);
  if (!state || !there?.history || !member || !isSameIdentity(member, from.person.list))
    return false;
  if (!may(state, sharer, 'shareHistory', there)) return false;
  for (const { author, device: of, ...place } of chains) {
    if (keyEpochAt(state, channel, place.epoch) !== place.epoch) {
      refused('stale_epoch');
      continue;
    }
    try {
      const origin = { author, device: of, sharedBy: sharer };
      await takeChain(storage, changes, { space, channel, ...place }, origin);
    } catch (error) {
      if (!(error instanceof CryptoFault || error instanceof Fault)) throw error;
      refused(error.code);
    }
  }
  return true;
}
