/**
 * The direct bodies by which keys of channels go from one device to another. docs/protocol/channel.md §8
 *
 *     channel key        = space 16 ‖ channel 16 ‖ u64 epoch ‖ u64 logSeq ‖ logHash 32 ‖ chain 16 ‖ u32 iteration
 *                          ‖ chain key 32 ‖ signing key 32 ‖ prev 32
 *     channel key wanted = space 16 ‖ channel 16 ‖ chain 16
 *     channel history    = var16 bundle (history-bundle.ts)
 *
 * They are read inside a direct message alone: a plaintext of a post has no kinds for them.
 */
import type { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type ChannelId, channelId, type SpaceId, spaceId } from '../wire/ids.ts';
import { fromHex, hex } from '../wire/text.ts';
import { noHash } from './account-state.ts';
import { fixed, id16 } from './body-fields.ts';
import { equal } from './primitives.ts';
import { signingKey } from './public-key.ts';

/** A place in a chain, from which on whoever has it reads. */
export interface ChainPlace {
  /** Key epoch of the channel that the chain was made in: seq of an entry of the space's log. */
  epoch: number;
  /** 16 bytes. */
  chain: Uint8Array;
  iteration: number;
  /** 32 bytes: of that iteration. */
  chainKey: Uint8Array;
  /** Public half of the key that signs the chain's posts. */
  signing: Uint8Array;
  /** Hash of the post before that iteration; zeros for iteration 0, or where the giver does not know it. */
  prev: Uint8Array;
}

export interface ChannelKeyBody extends ChainPlace {
  kind: 'channel-key';
  space: SpaceId;
  channel: ChannelId;
  /** The space's log as the author of the chain had it when this was sent. */
  logSeq: number;
  logHash: Uint8Array;
}

export interface ChannelKeyWantedBody {
  kind: 'channel-key-wanted';
  space: SpaceId;
  channel: ChannelId;
  /** The chain of the recipient's device that can't be read. */
  chain: Uint8Array;
}

export interface ChannelHistoryBody {
  kind: 'channel-history';
  /** history-bundle.ts; its signature is not checked yet. */
  bundle: Uint8Array;
}

/** chain 16 ‖ u32 iteration ‖ chain key 32 ‖ signing key 32 ‖ prev 32; the epoch stands before it. */
export function writePlace(out: Writer, place: ChainPlace): void {
  checkPlace(place);
  out.raw(id16(place.chain)).u32(place.iteration).raw(fixed(place.chainKey, 32));
  out.raw(signingKey(place.signing)).raw(fixed(place.prev, 32));
}

export function readPlace(from: Reader, epoch: number): ChainPlace {
  const [chain, iteration] = [from.raw(16), from.u32()];
  const [chainKey, signing, prev] = [from.raw(32), signingKey(from.raw(32)), from.raw(32)];
  return checkPlace({ epoch, chain, iteration, chainKey, signing, prev });
}

function checkPlace(place: ChainPlace): ChainPlace {
  const first = place.iteration === 0;
  if (place.epoch < 1 || (first && !equal(place.prev, noHash))) throw new Fault('malformed');
  return place;
}

export function writeChannelKey(out: Writer, body: ChannelKeyBody): void {
  const { space, channel, logSeq, logHash } = body;
  if (logSeq < body.epoch) throw new Fault('malformed');
  out.raw(fromHex(space)).raw(fromHex(channel)).u64(body.epoch).u64(logSeq);
  out.raw(fixed(logHash, 32));
  writePlace(out, body);
}

export function readChannelKey(from: Reader): ChannelKeyBody {
  const [space, channel] = [readSpace(from), readChannel(from)];
  const [epoch, logSeq, logHash] = [from.u64(), from.u64(), from.raw(32)];
  const place = readPlace(from, epoch);
  if (logSeq < epoch) throw new Fault('malformed');
  return { kind: 'channel-key', space, channel, logSeq, logHash, ...place };
}

export const writeWanted = (out: Writer, { space, channel, chain }: ChannelKeyWantedBody): void =>
  void out.raw(fromHex(space)).raw(fromHex(channel)).raw(id16(chain));

export function readWanted(from: Reader): ChannelKeyWantedBody {
  const [space, channel] = [readSpace(from), readChannel(from)];
  return { kind: 'channel-key-wanted', space, channel, chain: from.raw(16) };
}

export function writeHistory(out: Writer, { bundle }: ChannelHistoryBody): void {
  if (bundle.length === 0) throw new Fault('malformed');
  out.var16(bundle);
}

export function readHistory(from: Reader): ChannelHistoryBody {
  const bundle = from.var16();
  if (bundle.length === 0) throw new Fault('malformed');
  return { kind: 'channel-history', bundle };
}

export const readSpace = (from: Reader): SpaceId => spaceId(hex(from.raw(16)));
export const readChannel = (from: Reader): ChannelId => channelId(hex(from.raw(16)));
