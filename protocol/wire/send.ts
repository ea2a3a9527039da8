/**
 * The body of `POST /v1/send`. docs/protocol/dm.md §6
 *
 *     u8 1 ‖ u8 0x10 ‖ account 16 ‖ u32 listEpoch ‖ u8 count ‖ count × { u32 device ‖ id 16 ‖ var32 body }
 *
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

export interface OutgoingEnvelope {
  device: DeviceId;
  id: EnvelopeId;
  body: Uint8Array;
}

export interface Send {
  account: AccountId;
  /** Epoch of the recipient's device list that the sender used. */
  epoch: number;
  envelopes: readonly OutgoingEnvelope[];
}

const version = 1;
const type = 0x10;

export function encodeSend(send: Send): Uint8Array {
  const out = new Writer(512).u8(version).u8(type).raw(fromHex(send.account)).u32(send.epoch);
  out.u8(send.envelopes.length);
  for (const { device, id, body } of send.envelopes) out.u32(device).raw(fromHex(id)).var32(body);
  return out.done();
}

export function decodeSend(bytes: Uint8Array): Send {
  if (bytes.length > limits.sendBytes) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
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
  return { account, epoch, envelopes };
}
