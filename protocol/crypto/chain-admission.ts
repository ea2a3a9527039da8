/**
 * Which chains a device takes from others: the first under an id, and none that anybody else could have
 * chosen so as to stand in its place. docs/protocol/channel.md §8
 */
import type { AccountId, ChannelId, DeviceId, SpaceId } from '../wire/ids.ts';
import { beginKeys, type ChainKeys, chainKeyAt, chainLimits, messageKeysAt } from './chain-keys.ts';
import type { ChainPlace } from './channel-key-body.ts';
import { CryptoFault } from './crypto-fault.ts';
import { equal } from './primitives.ts';
import type { ReceivedChain } from './received-chain.ts';

/** What is given: a `ChannelKeyBody`, or an item of a bundle with the bundle's space and channel. */
export interface ChainOffer extends ChainPlace {
  space: SpaceId;
  channel: ChannelId;
}

/** The device whose chain it is said to be; `sharedBy`: who says so, if not that device itself. */
export interface ChainOrigin {
  author: AccountId;
  device: DeviceId;
  sharedBy?: AccountId;
}

/**
 * The chain to keep from now on, and one that makes room for it. `kept`: the chains of the author's device in this
 * channel, in the order in which they came. What others have under the same id is theirs and in nobody's way: the id
 * stands in posts. Throws `chain_taken` if the id has other keys, `too_far_ahead` beyond `chainLimits.reach`.
 *
 * - What the author's device gives itself replaces what somebody else has said of it, never the reverse.
 * - The same chain from an earlier place lets its reader go back to there, if it leads to the same keys.
 */
export function admitChain(
  kept: readonly ReceivedChain[],
  offer: ChainOffer,
  from: ChainOrigin,
): { chain: ReceivedChain; drop?: ReceivedChain } {
  const known = kept.find(
    ({ id, author, device }) =>
      equal(id, offer.chain) && author === from.author && device === from.device,
  );
  const direct = from.sharedBy === undefined;
  if (known === undefined) {
    const drop = crowdedOut(kept, offer, from);
    return { chain: fresh(offer, from), ...(drop && { drop }) };
  }
  if (sameChain(known, offer, from)) {
    const keys = widened(known.keys, offer);
    if (keys) return { chain: widenedChain(known, keys, offer, direct) };
  }
  if (direct && known.sharedBy !== undefined) return { chain: fresh(offer, from) };
  throw new CryptoFault('chain_taken');
}

const fresh = (offer: ChainOffer, { author, device, sharedBy }: ChainOrigin): ReceivedChain => ({
  space: offer.space,
  channel: offer.channel,
  author,
  device,
  epoch: offer.epoch,
  id: Uint8Array.from(offer.chain),
  signing: Uint8Array.from(offer.signing),
  sharedBy,
  keys: beginKeys(offer.iteration, Uint8Array.from(offer.chainKey)),
  prev: Uint8Array.from(offer.prev),
  read: new Uint8Array(0),
});

const sameChain = (known: ReceivedChain, offer: ChainOffer, from: ChainOrigin): boolean =>
  known.space === offer.space &&
  known.channel === offer.channel &&
  known.author === from.author &&
  known.device === from.device &&
  known.epoch === offer.epoch &&
  equal(known.signing, offer.signing);

/** The keys from the earlier of both places on, or `undefined` if one does not lead to the other. */
function widened(keys: ChainKeys, { iteration, chainKey }: ChainOffer): ChainKeys | undefined {
  if (iteration >= keys.origin)
    return equal(chainKeyAt(keys, iteration), chainKey) ? keys : undefined;
  if (keys.next - iteration >= chainLimits.reach) throw new CryptoFault('too_far_ahead');
  const offered = beginKeys(iteration, Uint8Array.from(chainKey));
  if (!equal(chainKeyAt(offered, keys.origin), keys.marks[0] as Uint8Array)) return undefined;
  return messageKeysAt(offered, [Math.max(iteration, keys.next - 1)]).keys;
}

function widenedChain(
  known: ReceivedChain,
  keys: ChainKeys,
  offer: ChainOffer,
  direct: boolean,
): ReceivedChain {
  const sharedBy = direct ? undefined : known.sharedBy;
  if (keys === known.keys) return { ...known, sharedBy };
  const prev = Uint8Array.from(offer.prev);
  const read = shifted(known.read, known.keys.origin - keys.origin);
  return { ...known, sharedBy, keys, prev, read };
}

/** The bits of `read`, `by` places further up. */
function shifted(read: Uint8Array, by: number): Uint8Array {
  const out = new Uint8Array(Math.ceil((read.length * 8 + by) / 8));
  for (let at = 0; at < read.length * 8; at++) {
    if (((read[at >> 3] ?? 0) >> (at & 7)) & 1) {
      const to = at + by;
      out[to >> 3] = (out[to >> 3] ?? 0) | (1 << (to & 7));
    }
  }
  return out;
}

/** Chains that nothing was read of are few, whoever sends how many; one that is needed is asked for again. */
function crowdedOut(
  kept: readonly ReceivedChain[],
  offer: ChainOffer,
  from: ChainOrigin,
): ReceivedChain | undefined {
  const waiting = kept.filter(
    (chain) =>
      chain.space === offer.space &&
      chain.channel === offer.channel &&
      chain.epoch === offer.epoch &&
      chain.author === from.author &&
      chain.device === from.device &&
      (chain.sharedBy === undefined) === (from.sharedBy === undefined) &&
      chain.read.length === 0,
  );
  return waiting.length >= chainLimits.waiting ? waiting[0] : undefined;
}
