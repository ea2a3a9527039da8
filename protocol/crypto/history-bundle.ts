/**
 * Chains that somebody passes on, so that a newcomer reads what was posted before. docs/protocol/channel.md §9
 *
 *     bundle = u8 1 ‖ u8 0xa4 ‖ space 16 ‖ channel 16 ‖ sharer 16 ‖ u32 device ‖ recipient 16
 *              ‖ u8 n 1 to 40 × { author 16 ‖ u32 device ‖ u64 epoch ‖ chain 16 ‖ u32 iteration ‖ chain key 32
 *                                 ‖ signing key 32 ‖ prev 32 }
 *              ‖ signature 64     by the DSK of the sharer's device, purpose "channel-history"
 *
 * Whose chains they are is the sharer's word: posts read with them are shown as passed on by the sharer.
 */
import { concat, Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import {
  type AccountId,
  accountId,
  type ChannelId,
  type DeviceId,
  deviceId,
  type SpaceId,
} from '../wire/ids.ts';
import { fromHex, hex } from '../wire/text.ts';
import { readEach, writeEach } from './body-fields.ts';
import {
  type ChainPlace,
  readChannel,
  readPlace,
  readSpace,
  writePlace,
} from './channel-key-body.ts';
import { equal, type SigningPair } from './primitives.ts';
import { mustVerify, sign } from './signature.ts';

export interface SharedChain extends ChainPlace {
  author: AccountId;
  device: DeviceId;
}

export interface HistoryBundle {
  space: SpaceId;
  channel: ChannelId;
  /** Who passes the chains on, and to whom. */
  sharer: AccountId;
  device: DeviceId;
  recipient: AccountId;
  /** No chain twice. */
  chains: readonly SharedChain[];
}

/** A bundle that is in form, with what its signature covers. */
export interface ReadBundle extends HistoryBundle {
  bytes: Uint8Array;
}

const version = 1;
const type = 0xa4;

/** Chains in one bundle: as many as fit into a direct message. */
export const bundleChains = 40;
/** The longest bundle, bytes. */
export const longestBundle = 135 + bundleChains * 144;

export function signBundle(bundle: HistoryBundle, dsk: SigningPair): Uint8Array {
  const { space, channel, sharer, device, recipient, chains } = bundle;
  const out = new Writer(longestBundle).u8(version).u8(type).raw(fromHex(space));
  out.raw(fromHex(channel)).raw(fromHex(sharer)).u32(device).raw(fromHex(recipient));
  writeEach(
    out,
    checkChains(chains),
    (chain) => {
      out.raw(fromHex(chain.author)).u32(chain.device).u64(chain.epoch);
      writePlace(out, chain);
    },
    bundleChains,
  );
  const fields = out.done();
  return concat(fields, sign('channel-history', dsk, fields));
}

/** Form only. */
export function readBundle(bytes: Uint8Array): ReadBundle {
  if (bytes.length > longestBundle) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
  const [space, channel] = [readSpace(from), readChannel(from)];
  const sharer = accountId(hex(from.raw(16)));
  const device = deviceId(from.u32());
  const recipient = accountId(hex(from.raw(16)));
  const chains = readEach(from, () => readShared(from), bundleChains);
  from.raw(64);
  from.end();
  return { space, channel, sharer, device, recipient, chains: checkChains(chains), bytes };
}

function readShared(from: Reader): SharedChain {
  const author = accountId(hex(from.raw(16)));
  const device = deviceId(from.u32());
  return { author, device, ...readPlace(from, from.u64()) };
}

function checkChains(chains: readonly SharedChain[]): readonly SharedChain[] {
  for (const [i, { chain }] of chains.entries()) {
    if (chains.slice(0, i).some((before) => equal(before.chain, chain)))
      throw new Fault('malformed');
  }
  return chains;
}

/**
 * The bundle if the device with this signing key (public) made it, and for whom it came to. Throws
 * `bad_signature` for another maker, `malformed` for another sharer, device or recipient than `expected`.
 */
export function openBundle(
  bytes: Uint8Array,
  dsk: Uint8Array,
  expected: Pick<HistoryBundle, 'sharer' | 'device' | 'recipient'>,
): HistoryBundle {
  const { bytes: all, ...bundle } = readBundle(bytes);
  const meant =
    bundle.sharer === expected.sharer &&
    bundle.device === expected.device &&
    bundle.recipient === expected.recipient;
  if (!meant) throw new Fault('malformed');
  mustVerify('channel-history', dsk, all.subarray(0, -64), all.subarray(-64));
  return bundle;
}
