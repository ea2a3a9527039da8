/**
 * The body of `POST /v1/send`. docs/protocol/dm.md §6
 *
 *     send = u8 1 ‖ u8 0x11 ‖ u8 n ‖ n × token 101 ‖ u8 0|1 [ ‖ delivery key 16 ] ‖ order
 *     order = account 16 ‖ u32 listEpoch ‖ u8 count ‖ count × { u32 device ‖ id 16 ‖ var32 body }
 *
 * Tokens are bound to the order when they are spent (tokens.md §7): the same order again, after a lost
 * answer, costs nothing; another order with the same tokens is refused.
 * Answered 202 with no body once every envelope is committed. 409 `stale_devices` carries
 * `{ missing, extra, epoch }` and nothing is stored.
 */
import { Reader, Writer } from './bytes.ts';
import { Fault } from './fault.ts';
import {
  type AccountId,
  accountId,
  type DeviceId,
  deviceId,
  type EnvelopeId,
  envelopeId,
} from './ids.ts';
import { limits } from './limits.ts';
import { fromHex, hex } from './text.ts';
import { readToken, type Token, tokenBytes, writeToken } from './token.ts';

export interface OutgoingEnvelope {
  device: DeviceId;
  id: EnvelopeId;
  body: Uint8Array;
}

export interface Send {
  /** What the sender pays with. */
  tokens: readonly Token[];
  /** The recipient's delivery key, 16 bytes: a sender who has none asks to be let in (dm.md §6.3). */
  key: Uint8Array | undefined;
  account: AccountId;
  /** Epoch of the recipient's device list that the sender used. */
  epoch: number;
  envelopes: readonly OutgoingEnvelope[];
}

const version = 1;
const type = 0x11;

/** Tokens that a send costs: more for whoever does not have the recipient's delivery key. tokens.md §7 */
export const sendPrice = (envelopes: number, keyed: boolean): number =>
  Math.ceil(envelopes / limits.envelopesPerToken) * (keyed ? 1 : limits.requestPrice);

/** Bytes of a delivery key. */
export const deliveryKeyBytes = 16;

export function encodeSend(send: Send): Uint8Array {
  const out = new Writer(2048).u8(version).u8(type).u8(send.tokens.length);
  for (const token of send.tokens) writeToken(out, token);
  if (send.key === undefined) out.u8(0);
  else out.u8(1).raw(send.key);
  out.raw(fromHex(send.account)).u32(send.epoch);
  out.u8(send.envelopes.length);
  for (const { device, id, body } of send.envelopes) out.u32(device).raw(fromHex(id)).var32(body);
  return out.done();
}

export function decodeSend(bytes: Uint8Array): Send {
  if (bytes.length > limits.sendBytes) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
  const tokens = readTokens(from);
  const key = readKey(from);
  const account = accountId(hex(from.raw(16)));
  const epoch = from.u32();
  const count = from.u8();
  if (count === 0 || count > limits.sendEnvelopes) throw new Fault('malformed');
  const envelopes: OutgoingEnvelope[] = [];
  const seen = new Set<number>();
  for (let i = 0; i < count; i++) {
    const device = deviceId(from.u32());
    // Two envelopes for one device in one request would let their order depend on the store.
    if (seen.has(device)) throw new Fault('malformed');
    seen.add(device);
    const id = envelopeId(hex(from.raw(16)));
    envelopes.push({ device, id, body: from.var32(limits.envelopeBytes) });
  }
  from.end();
  return { tokens, key, account, epoch, envelopes };
}

/** The same token twice would pay twice within one transaction. */
function readTokens(from: Reader): Token[] {
  const count = from.u8();
  if (count > limits.sendTokens) throw new Fault('malformed');
  const tokens: Token[] = [];
  const seen = new Set<string>();
  for (let i = 0; i < count; i++) {
    const token = readToken(from);
    tokens.push(token);
    seen.add(`${token.class} ${token.day} ${hex(token.input)}`);
  }
  if (seen.size !== count) throw new Fault('malformed');
  return tokens;
}

function readKey(from: Reader): Uint8Array | undefined {
  const present = from.u8();
  if (present > 1) throw new Fault('malformed');
  return present === 1 ? from.raw(deliveryKeyBytes) : undefined;
}

/** The order in the bytes of a send that decodes: what its tokens pay for, from `account` on. A view. */
export function orderOf(bytes: Uint8Array): Uint8Array {
  const keyAt = 3 + (bytes[2] ?? 0) * tokenBytes;
  return bytes.subarray(keyAt + 1 + (bytes[keyAt] === 1 ? deliveryKeyBytes : 0));
}
