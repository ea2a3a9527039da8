/** Reading a channel from the beginning: what was read of a feed that the island has taken back counts no more. docs/protocol/channel.md §7.1 */
import type { ChannelId } from '@island/protocol/wire/ids.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { differencePlace } from './differences.ts';
import { feedPlace, itemsOf, waitingPosts, waitsNoMore } from './feed-rows.ts';
import { orderIn } from './order.ts';
import { allChains, changeChain } from './received-chains.ts';
import { batchOf, noChanges } from './rows.ts';
import { saidIn } from './said.ts';
import { claimsIn } from './seen.ts';

export const readAnew = (storage: Storage, channel: ChannelId): Promise<void> =>
  untilCommitted(async () => {
    const changes = noChanges();
    const namespaces = [
      ...[itemsOf(channel), orderIn(channel), claimsIn(channel)],
      ...saidIn(channel),
    ];
    for (const namespace of namespaces)
      for (const { key } of await storage.list(namespace)) changes.remove.push({ namespace, key });
    for (const waiting of await waitingPosts(storage))
      if (waiting.channel === channel) changes.remove.push(waitsNoMore(channel, waiting.seq));
    // Each post opens once in a feed, and this is another one.
    for (const { chain, row } of await allChains(storage, channel))
      changeChain(changes, { ...chain, read: new Uint8Array(0) }, row);
    changes.remove.push(feedPlace(channel), differencePlace(channel));
    await storage.commit(batchOf(changes));
  });
