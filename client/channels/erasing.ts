/**
 * Posts that were removed, by moderators or by who posted them: what they said is gone here as well.
 * docs/protocol/channel.md §7
 *
 *     channel-erased    space    the entry of the log up to which this was done
 */
import { decodeChannelBody } from '@island/protocol/crypto/channel-body.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import { verifiedEntries } from '../spaces/space-rows.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { itemRow, readItem, waitsNoMore } from './feed-rows.ts';
import { batchOf, type Changes, noChanges } from './rows.ts';
import { forgetSaid } from './said.ts';

const namespace = 'channel-erased';
const text = new TextDecoder();

/** Follows what moderators removed, up to entry `seq`. */
export async function eraseRemoved(storage: Storage, space: SpaceId, seq: number): Promise<void> {
  const row = await storage.read(namespace, space);
  const done = row ? Number(text.decode(row.bytes)) : 0;
  if (done >= seq) return;
  for await (const { seq: at, op } of verifiedEntries(storage, space))
    if (at > done && at <= seq && op.op === 'removePosts')
      await eraseAt(storage, op.channel, op.seqs);
  await storage.commit({ put: [{ namespace, key: space, bytes: utf8Bytes(String(seq)) }] });
}

export const eraseAt = (
  storage: Storage,
  channel: ChannelId,
  seqs: readonly number[],
): Promise<void> =>
  untilCommitted(async () => {
    const changes = noChanges();
    for (const seq of seqs) await erase(storage, changes, channel, seq);
    await storage.commit(batchOf(changes));
  });

async function erase(
  storage: Storage,
  changes: Changes,
  channel: ChannelId,
  seq: number,
): Promise<void> {
  const item = await readItem(storage, channel, seq);
  if (!item || item.state === 'gone') return;
  const { accepted, author, device, feed, id = '', sentAt = 0, body } = item;
  changes.put.push(itemRow(channel, seq, { accepted, author, device, feed, state: 'gone' }));
  changes.remove.push(waitsNoMore(channel, seq));
  if (body)
    forgetSaid(changes, channel, { seq, author, id, sentAt, body: decodeChannelBody(body) });
}
