/**
 * Every WebSocket frame between client and gateway. docs/protocol/socket.md
 *
 *     u8 1 ‖ u8 type ‖ fields
 *
 * client → gateway: 0x01 HELLO { text16 access }   0x02 ACK { u64 seq }   0x03 PING { u64 nonce }
 *                   0x04 WITNESS { text16 vkey }
 * gateway → client: 0x81 READY { account 16 ‖ u32 device ‖ u64 head }   0x82 ENVELOPE { u64 seq ‖ id 16 ‖ u8 flags ‖ var32 body }
 *                   0x83 FAULT { text16 code ‖ text16 text }   0x84 PONG { u64 nonce }   0x85 COSIGN { u64 size }
 *
 * flags: 0x01, the sender did not have the recipient's delivery key; no other bit is set.
 *
 * After READY the gateway sends every envelope of the mailbox that is not yet acknowledged, by
 * ascending `seq`, then new ones as they come; at most `limits.socketWindow` unacknowledged.
 * ACK n means: everything up to n is committed here; the mailbox forgets it.
 *
 * Types 0x05 to 0x09 and 0x86 to 0x8e: channel-frames.ts.
 */
import { memberVkeyMax } from '../transparency/member-witness.ts';
import { Reader, Writer } from './bytes.ts';
import {
  type ChannelClientFrame,
  type ChannelServerFrame,
  readChannelClientFrame,
  readChannelServerFrame,
  writeChannelClientFrame,
  writeChannelServerFrame,
} from './channel-frames.ts';
import { Fault, type FaultCode, faults, isFaultCode } from './fault.ts';
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

const version = 1;
const requestFlag = 0x01;

export type ClientFrame =
  | { type: 'hello'; access: string }
  | { type: 'ack'; seq: number }
  | { type: 'ping'; nonce: number }
  | { type: 'witness'; vkey: string }
  | ChannelClientFrame;

export type ServerFrame =
  | { type: 'ready'; account: AccountId; device: DeviceId; head: number }
  | { type: 'envelope'; seq: number; id: EnvelopeId; request: boolean; body: Uint8Array }
  | { type: 'fault'; code: FaultCode; text: string }
  | { type: 'pong'; nonce: number }
  | { type: 'cosign'; size: number }
  | ChannelServerFrame;

export function encodeClientFrame(frame: ClientFrame): Uint8Array {
  const out = new Writer(frame.type === 'post' ? frame.post.length + 64 : 64).u8(version);
  switch (frame.type) {
    case 'hello':
      return out.u8(0x01).text16(frame.access).done();
    case 'ack':
      return out.u8(0x02).u64(frame.seq).done();
    case 'ping':
      return out.u8(0x03).u64(frame.nonce).done();
    case 'witness':
      return out.u8(0x04).text16(frame.vkey).done();
    default:
      return writeChannelClientFrame(out, frame).done();
  }
}

export function decodeClientFrame(bytes: Uint8Array): ClientFrame {
  if (bytes.length > limits.frameBytes) throw new Fault('too_large');
  const from = new Reader(bytes);
  if (from.u8() !== version) throw new Fault('unknown_version');
  const frame = clientFields(from.u8(), from);
  from.end();
  return frame;
}

function clientFields(type: number, from: Reader): ClientFrame {
  switch (type) {
    case 0x01:
      return { type: 'hello', access: from.text16(2048) };
    case 0x02:
      return { type: 'ack', seq: from.u64() };
    case 0x03:
      return { type: 'ping', nonce: from.u64() };
    case 0x04:
      return { type: 'witness', vkey: from.text16(memberVkeyMax) };
    default:
      return readChannelClientFrame(type, from);
  }
}

export function encodeServerFrame(frame: ServerFrame): Uint8Array {
  const out = new Writer(serverBytes(frame)).u8(version);
  switch (frame.type) {
    case 'ready':
      return out.u8(0x81).raw(fromHex(frame.account)).u32(frame.device).u64(frame.head).done();
    case 'envelope':
      out.u8(0x82).u64(frame.seq).raw(fromHex(frame.id));
      return out
        .u8(frame.request ? requestFlag : 0)
        .var32(frame.body)
        .done();
    case 'fault':
      return out.u8(0x83).text16(frame.code).text16(frame.text).done();
    case 'pong':
      return out.u8(0x84).u64(frame.nonce).done();
    case 'cosign':
      return out.u8(0x85).u64(frame.size).done();
    default:
      return writeChannelServerFrame(out, frame).done();
  }
}

/** Room for most of it. */
function serverBytes(frame: ServerFrame): number {
  if (frame.type === 'envelope') return frame.body.length + 64;
  return frame.type === 'post' && 'post' in frame.item ? frame.item.post.length + 64 : 128;
}

export function decodeServerFrame(bytes: Uint8Array): ServerFrame {
  if (bytes.length > limits.frameBytes * 2) throw new Fault('too_large');
  const from = new Reader(bytes);
  if (from.u8() !== version) throw new Fault('unknown_version');
  const frame = serverFields(from.u8(), from);
  from.end();
  return frame;
}

function serverFields(type: number, from: Reader): ServerFrame {
  switch (type) {
    case 0x81:
      return {
        type: 'ready',
        account: accountId(hex(from.raw(16))),
        device: deviceId(from.u32()),
        head: from.u64(),
      };
    case 0x82:
      return {
        type: 'envelope',
        seq: from.u64(),
        id: envelopeId(hex(from.raw(16))),
        request: readFlags(from) === requestFlag,
        body: from.var32(limits.envelopeBytes),
      };
    case 0x83: {
      const code = from.text16(64);
      if (!isFaultCode(code)) throw new Fault('malformed');
      return { type: 'fault', code, text: from.text16(1024) };
    }
    case 0x84:
      return { type: 'pong', nonce: from.u64() };
    case 0x85:
      return { type: 'cosign', size: from.u64() };
    default:
      return readChannelServerFrame(type, from);
  }
}

function readFlags(from: Reader): number {
  const flags = from.u8();
  if (flags > requestFlag) throw new Fault('malformed');
  return flags;
}

export const faultFrame = (code: FaultCode): Uint8Array =>
  encodeServerFrame({ type: 'fault', code, text: faults[code].text });
