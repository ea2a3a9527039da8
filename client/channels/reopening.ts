/** Posts whose chain came after them. docs/protocol/channel.md §8 */
import { decodePost } from '@island/protocol/crypto/post.ts';
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import type { ChannelId } from '@island/protocol/wire/ids.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import { untilCommitted } from '../storage/storage.ts';
import { itemRow, readItem, type Waiting, waitingPosts, waitsNoMore } from './feed-rows.ts';
import type { Placed } from './judging.ts';
import { type ChannelReading, readPosts } from './reading.ts';
import { readChain } from './received-chains.ts';
import { batchOf, noChanges } from './rows.ts';

/** Posts that are opened in one commit. */
const atOnce = 256;

/** Opens what can be opened by now; resolves with what still waits there. */
export async function reopen(
  reading: ChannelReading,
  state: SpaceState,
  channel: ChannelId,
): Promise<Waiting[]> {
  const { storage } = reading;
  for (;;) {
    const waiting = (await waitingPosts(storage)).filter((each) => each.channel === channel);
    const here = new Map<string, boolean>();
    for (const { chain, author, device } of waiting)
      if (!here.has(chain)) {
        const whose = { channel, author, device, id: fromHex(chain) };
        here.set(chain, (await readChain(storage, whose)) !== undefined);
      }
    const ready = waiting.filter(({ chain }) => here.get(chain)).slice(0, atOnce);
    if (ready.length === 0) return waiting;
    await open(reading, state, channel, ready);
  }
}

const open = (
  reading: ChannelReading,
  state: SpaceState,
  channel: ChannelId,
  ready: readonly Waiting[],
): Promise<void> =>
  untilCommitted(async () => {
    const { storage } = reading;
    const changes = noChanges();
    const rows = await Promise.all(ready.map(({ seq }) => readItem(storage, channel, seq)));
    const posts = ready.flatMap(({ seq }, i): Placed[] => {
      const row = rows[i];
      if (!row?.post) return [];
      const { accepted, author, device, post } = row;
      return [{ seq, accepted, author, device, post: decodePost(post) }];
    });
    const feedAt = async (seq: number) => (await readItem(storage, channel, seq))?.feed;
    const outcomes = await readPosts(reading, state, channel, posts, changes, feedAt);
    for (const [i, { seq }] of ready.entries()) {
      const row = rows[i];
      const outcome = outcomes.get(seq);
      // Somebody dropped the chain again: it is asked for anew.
      if (outcome?.state === 'waiting') continue;
      changes.remove.push(waitsNoMore(channel, seq));
      if (!row || !outcome) continue;
      const { post: _, state: _before, ...kept } = row;
      changes.put.push(itemRow(channel, seq, { ...kept, ...outcome }));
    }
    await storage.commit(batchOf(changes));
  });
