/**
 * How a device keeps its own chains and those of others. Never leaves it. docs/protocol/channel.md §5
 *
 *     own      = u8 1 ‖ u8 0xa6 ‖ place ‖ signing private 32 ‖ u32 made ‖ prev 32 ‖ keys
 *     received = u8 1 ‖ u8 0xa7 ‖ place ‖ author 16 ‖ u32 device ‖ sharedBy 16 (zeros: nobody) ‖ signing 32 ‖ prev 32 ‖ keys
 *                ‖ var16 read
 *     place    = space 16 ‖ channel 16 ‖ u64 epoch ‖ chain 16
 *     keys     = u32 origin ‖ u32 next ‖ chain key 32 of next ‖ one for each 32nd place from origin to next
 *
 * `read` is as in received-chain.ts, without zero bytes at its end.
 */
import { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { accountId, deviceId } from '../wire/ids.ts';
import { fromHex, hex } from '../wire/text.ts';
import { type ChainKeys, chainLimits, markCount } from './chain-keys.ts';
import { readChannel, readSpace } from './channel-key-body.ts';
import { ed25519, equal } from './primitives.ts';
import { signingKey } from './public-key.ts';
import type { ReceivedChain } from './received-chain.ts';
import type { SenderChain } from './sender-chain.ts';

const version = 1;
const ownType = 0xa6;
const receivedType = 0xa7;
const nobody = '00'.repeat(16);

type Place = Pick<SenderChain, 'space' | 'channel' | 'epoch' | 'id'>;

const writePlace = (out: Writer, { space, channel, epoch, id }: Place): Writer =>
  out.raw(fromHex(space)).raw(fromHex(channel)).u64(epoch).raw(id);

function readPlace(from: Reader): Place {
  const [space, channel] = [readSpace(from), readChannel(from)];
  return { space, channel, epoch: from.u64(), id: from.raw(16) };
}

function writeKeys(out: Writer, { origin, next, key, marks }: ChainKeys): Writer {
  out.u32(origin).u32(next).raw(key);
  for (const mark of marks) out.raw(mark);
  return out;
}

function readKeys(from: Reader): ChainKeys {
  const [origin, next, key] = [from.u32(), from.u32(), from.raw(32)];
  if (next < origin) throw new Fault('malformed');
  if (next - origin > chainLimits.reach) throw new Fault('too_large');
  const marks = Array.from({ length: markCount(origin, next) }, () => from.raw(32));
  if (next === origin && !equal(key, marks[0] as Uint8Array)) throw new Fault('malformed');
  return { origin, marks, next, key };
}

export function encodeSenderChain(chain: SenderChain): Uint8Array {
  const out = writePlace(new Writer(512).u8(version).u8(ownType), chain);
  out.raw(chain.signing.private).u32(chain.made).raw(chain.prev);
  return writeKeys(out, chain.keys).done();
}

export function decodeSenderChain(bytes: Uint8Array): SenderChain {
  // What is kept must not change when the buffer that it was read into is used again.
  const from = new Reader(Uint8Array.from(bytes)).header(version, ownType);
  const place = readPlace(from);
  const signing = ed25519.fromSeed(from.raw(32));
  const [made, prev, keys] = [from.u32(), from.raw(32), readKeys(from)];
  from.end();
  return { ...place, signing, made, prev, keys };
}

export function encodeReceivedChain(chain: ReceivedChain): Uint8Array {
  const out = writePlace(new Writer(512).u8(version).u8(receivedType), chain);
  out
    .raw(fromHex(chain.author))
    .u32(chain.device)
    .raw(fromHex(chain.sharedBy ?? nobody));
  out.raw(chain.signing).raw(chain.prev);
  return writeKeys(out, chain.keys).var16(chain.read).done();
}

export function decodeReceivedChain(bytes: Uint8Array): ReceivedChain {
  const from = new Reader(Uint8Array.from(bytes)).header(version, receivedType);
  const place = readPlace(from);
  const author = accountId(hex(from.raw(16)));
  const device = deviceId(from.u32());
  const sharer = hex(from.raw(16));
  const sharedBy = sharer === nobody ? undefined : accountId(sharer);
  const [signing, prev, keys] = [signingKey(from.raw(32)), from.raw(32), readKeys(from)];
  const read = from.var16(chainLimits.reach / 8);
  from.end();
  const beyond = read.length > 0 && (read.length - 1) * 8 >= keys.next - keys.origin;
  if (read.at(-1) === 0 || beyond) throw new Fault('malformed');
  return { ...place, author, device, sharedBy, signing, prev, keys, read };
}
