/**
 * Chains of other devices, and this one's own as its readers have them. docs/protocol/channel.md §5, §8
 *
 *     chains channel   author.device chain   as chain-storage.ts
 *     chain-ids        chain                 channel author.device
 */
import {
  admitChain,
  type ChainOffer,
  type ChainOrigin,
} from '@island/protocol/crypto/chain-admission.ts';
import { decodeReceivedChain, encodeReceivedChain } from '@island/protocol/crypto/chain-storage.ts';
import type { ReceivedChain } from '@island/protocol/crypto/received-chain.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { type ChannelId, deviceKey } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Place, Row } from '../storage/storage.ts';
import { beginning, type Changes, expected, type Reading, through } from './rows.ts';

const chainsIn = (channel: ChannelId): string => `chains ${channel}`;
const ids = 'chain-ids';
const text = new TextDecoder();

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
  const name = hex(offer.chain);
  const owner = await reading.read(ids, name);
  const rows = new Map<string, Row>();
  const { author, device } = from;
  const theirs = await beginning(reading, chainsIn(offer.channel), `${deviceKey(author, device)} `);
  // A row of a chain that was not read yet is as old as the chain.
  for (const row of theirs.sort((a, b) => a.version - b.version)) rows.set(row.key, row);
  const [channel, whose] = owner ? text.decode(owner.bytes).split(' ') : [];
  if (owner && !rows.has(`${whose} ${name}`)) {
    const row = await reading.read(chainsIn(channel as ChannelId), `${whose} ${name}`);
    if (row) rows.set(row.key, row);
  }
  const kept = [...rows.values()].map((row) => decodeReceivedChain(row.bytes));
  const { chain, drop } = admitChain(kept, offer, from);
  expected(changes, { namespace: ids, key: name }, owner);
  const place = placeOf(chain);
  changeChain(changes, chain, await reading.read(place.namespace, place.key));
  const owned = `${chain.channel} ${deviceKey(chain.author, chain.device)}`;
  changes.put.push({ namespace: ids, key: name, bytes: utf8Bytes(owned) });
  // What the device itself gives stands in the place of what somebody else has said of the chain.
  const old = owner && owned !== `${channel} ${whose}` && kept.find(({ id }) => hex(id) === name);
  for (const gone of [drop, old]) if (gone) changes.remove.push(placeOf(gone));
  if (drop) changes.remove.push({ namespace: ids, key: hex(drop.id) });
  return chain;
}
