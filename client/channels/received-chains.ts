/**
 * Chains of other devices, and this one's own as its readers have them. docs/protocol/channel.md §5, §8
 *
 *     chains channel   author.device chain   as chain-storage.ts
 *
 * A chain is found by its author's device and its id together: the id stands in posts, so that anybody could give
 * another chain of that id first.
 */
import {
  admitChain,
  type ChainOffer,
  type ChainOrigin,
} from '@island/protocol/crypto/chain-admission.ts';
import { decodeReceivedChain, encodeReceivedChain } from '@island/protocol/crypto/chain-storage.ts';
import type { ReceivedChain } from '@island/protocol/crypto/received-chain.ts';
import { type ChannelId, deviceKey } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Place, Row } from '../storage/storage.ts';
import { beginning, type Changes, expected, type Reading, through } from './rows.ts';

const chainsIn = (channel: ChannelId): string => `chains ${channel}`;

type Whose = Pick<ReceivedChain, 'channel' | 'author' | 'device' | 'id'>;

const placeOf = ({ channel, author, device, id }: Whose): Place => ({
  namespace: chainsIn(channel),
  key: `${deviceKey(author, device)} ${hex(id)}`,
});

/** The chain that a post names, if this device was given it. */
export async function readChain(
  storage: Reading,
  whose: Whose,
): Promise<{ chain: ReceivedChain; row: Row } | undefined> {
  const { namespace, key } = placeOf(whose);
  const row = await storage.read(namespace, key);
  return row && { chain: decodeReceivedChain(row.bytes), row };
}

/** All of a channel. */
export async function allChains(
  storage: Reading,
  channel: ChannelId,
): Promise<{ chain: ReceivedChain; row: Row }[]> {
  const rows = await beginning(storage, chainsIn(channel), '');
  return rows.map((row) => ({ chain: decodeReceivedChain(row.bytes), row }));
}

export const chainsOf = async (storage: Reading, channel: ChannelId): Promise<ReceivedChain[]> =>
  (await allChains(storage, channel)).map(({ chain }) => chain);

/** For a commit that holds only if nobody else has read with the chain meanwhile. */
export function changeChain(changes: Changes, chain: ReceivedChain, before: Row | undefined): void {
  const place = placeOf(chain);
  expected(changes, place, before);
  changes.put.push({ ...place, bytes: encodeReceivedChain(chain) });
}

/** Takes a chain that was given. Throws what `admitChain` throws; then nothing has changed. */
export async function takeChain(
  storage: Reading,
  changes: Changes,
  offer: ChainOffer,
  from: ChainOrigin,
): Promise<ReceivedChain> {
  const reading = through(storage, changes);
  const { author, device } = from;
  const theirs = await beginning(reading, chainsIn(offer.channel), `${deviceKey(author, device)} `);
  // A row of a chain that was not read yet is as old as the chain.
  theirs.sort((a, b) => a.version - b.version);
  const kept = theirs.map((row) => decodeReceivedChain(row.bytes));
  const { chain, drop } = admitChain(kept, offer, from);
  const { namespace, key } = placeOf(chain);
  changeChain(changes, chain, await reading.read(namespace, key));
  if (drop) changes.remove.push(placeOf(drop));
  return chain;
}
