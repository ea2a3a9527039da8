/**
 * Passing on what was posted before somebody came: on purpose, to a member whose keys were compared.
 * docs/protocol/channel.md §9.1
 */
import {
  bundleChains,
  type SharedChain,
  signBundle,
} from '@island/protocol/crypto/history-bundle.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { may } from '@island/protocol/space/permissions.ts';
import { viewSince } from '@island/protocol/space/readers.ts';
import type { AccountId, ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import type { Account } from '../account/account.ts';
import { isVerified } from '../conversation/verification.ts';
import { Problem } from '../problem.ts';
import { keysRow } from '../sending/outbox.ts';
import type { Spaces } from '../spaces/spaces.ts';
import type { Storage } from '../storage/storage.ts';
import { chainsOf } from './received-chains.ts';

export interface Sharing {
  account: Account;
  storage: Storage;
  spaces: Pick<Spaces, 'follow' | 'reader'>;
  now: () => number;
}

/**
 * Queues every chain of the channel that its author's device gave this home. Resolves with how many. Throws
 * `history_closed`, `not_verified`, `member_unknown`.
 */
export async function shareHistory(
  { account, storage, spaces, now }: Sharing,
  space: SpaceId,
  channel: ChannelId,
  recipient: AccountId,
  signal?: AbortSignal,
): Promise<number> {
  const state = await spaces.follow(space, signal);
  const there = state.channels.get(channel);
  const { account: sharer, device, dsk } = account;
  if (!there?.history || !may(state, sharer, 'shareHistory', there))
    throw new Problem('history_closed');
  const person = await spaces.reader(space, recipient, signal);
  if (!person || viewSince(state, channel, recipient) === undefined)
    throw new Problem('member_unknown', { title: state.title, name: person?.name ?? recipient });
  const { name } = person;
  if (!(await isVerified(storage, name))) throw new Problem('not_verified', { name });
  const chains = (await chainsOf(storage, channel))
    .filter(({ sharedBy }) => sharedBy === undefined)
    .map(({ author, device: of, epoch, id, signing, prev, keys }): SharedChain => {
      const place = { epoch, chain: id, iteration: keys.origin, prev, signing };
      return { author, device: of, ...place, chainKey: keys.marks[0] as Uint8Array };
    });
  const append = [];
  for (let at = 0; at < chains.length; at += bundleChains) {
    const part = { space, channel, sharer, device, recipient };
    const bundle = signBundle({ ...part, chains: chains.slice(at, at + bundleChains) }, dsk);
    const plaintext = {
      id: randomBytes(16),
      sentAt: now(),
      body: { kind: 'channel-history', bundle },
    } as const;
    append.push(keysRow(name, { space, channel, account: recipient }, plaintext));
  }
  if (append.length > 0) await storage.commit({ append });
  return chains.length;
}
