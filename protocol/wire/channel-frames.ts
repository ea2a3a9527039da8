/**
 * Frames about channels; frames.ts reads their first two bytes. docs/protocol/socket.md §6
 *
 * client → gateway: 0x05 POST { u32 request ‖ channel 16 ‖ u64 lists ‖ var32 post }
 *                   0x06 WATCH { u8 n ‖ n × channel 16 }   0x07 UNWATCH { u8 n ‖ n × channel 16 }
 *                   0x08 TYPING { channel 16 ‖ u8 1 began 2 stopped }   0x09 PRESENCE { u8 state }
 * gateway → client: 0x86 POSTED { u32 request ‖ u64 seq }
 *                   0x87 REFUSED { u32 request ‖ channel 16 ‖ text16 code ‖ u64 number }
 *                   0x88 POST { channel 16 ‖ item }   0x89 SPACE { space 16 ‖ u64 seq ‖ u64 lists }
 *                   0x8a TYPING { channel 16 ‖ account 16 ‖ u8 }   0x8b PRESENCE { space 16 ‖ account 16 ‖ u8 state }
 *                   0x8c BEHIND { channel 16 ‖ u64 seq }   0x8d WATCHING { channel 16 ‖ u64 head }
 *                   0x8e REMOVED { channel 16 ‖ u8 n ‖ n × u64 seq }
 *
 * item  = u64 seq ‖ u64 accepted ‖ author 16 ‖ u32 device ‖ ( u8 1 ‖ var32 post | u8 2 ‖ leaf 32 )
 * state = 1 online 2 away 3 off; every n is 1 to 64
 */
import type { Reader, Writer } from './bytes.ts';
import { Fault, type FaultCode, isFaultCode } from './fault.ts';
import {
  type AccountId,
  accountId,
  type ChannelId,
  channelId,
  type DeviceId,
  deviceId,
  type SpaceId,
  spaceId,
} from './ids.ts';
import { limits } from './limits.ts';
import { type Presence, presences } from './space-routes.ts';
import { fromHex, hex } from './text.ts';

/** A post in its place, or what a removed one leaves there. */
export type PostItem = {
  seq: number;
  accepted: number;
  author: AccountId;
  device: DeviceId;
} & ({ post: Uint8Array } | { gone: Uint8Array });

export type ChannelClientFrame =
  | { type: 'post'; request: number; channel: ChannelId; lists: number; post: Uint8Array }
  | { type: 'watch' | 'unwatch'; channels: ChannelId[] }
  | { type: 'typing'; channel: ChannelId; began: boolean }
  | { type: 'presence'; state: Presence };

export type ChannelServerFrame =
  | { type: 'posted'; request: number; seq: number }
  /** `request` 0: a watch. `number`: what the fault states besides its code, 0 for nothing. */
  | { type: 'refused'; request: number; channel: ChannelId; code: FaultCode; number: number }
  | { type: 'post'; channel: ChannelId; item: PostItem }
  | { type: 'space'; space: SpaceId; seq: number; lists: number }
  | { type: 'typing'; channel: ChannelId; account: AccountId; began: boolean }
  | { type: 'presence'; space: SpaceId; account: AccountId; state: Presence }
  | { type: 'behind'; channel: ChannelId; seq: number }
  | { type: 'watching'; channel: ChannelId; head: number }
  | { type: 'removed'; channel: ChannelId; seqs: number[] };

/** Most channels in one WATCH, most places in one REMOVED. */
export const mostAtOnce = 64;

const whole = 1;
const gone = 2;

export function writeChannelClientFrame(out: Writer, frame: ChannelClientFrame): Writer {
  switch (frame.type) {
    case 'post':
      out.u8(0x05).u32(frame.request).raw(fromHex(frame.channel));
      return out.u64(frame.lists).var32(frame.post);
    case 'watch':
    case 'unwatch':
      out.u8(frame.type === 'watch' ? 0x06 : 0x07).u8(frame.channels.length);
      for (const channel of frame.channels) out.raw(fromHex(channel));
      return out;
    case 'typing':
      return out.u8(0x08).raw(fromHex(frame.channel)).u8(codeOf(frame.began));
    case 'presence':
      return out.u8(0x09).u8(stateCode(frame.state));
  }
}

export function readChannelClientFrame(type: number, from: Reader): ChannelClientFrame {
  switch (type) {
    case 0x05: {
      const request = from.u32();
      if (request === 0) throw new Fault('malformed');
      const channel = readChannel(from);
      return { type: 'post', request, channel, lists: from.u64(), post: readPost(from) };
    }
    case 0x06:
      return { type: 'watch', channels: several(from, readChannel) };
    case 0x07:
      return { type: 'unwatch', channels: several(from, readChannel) };
    case 0x08:
      return { type: 'typing', channel: readChannel(from), began: readBegan(from) };
    case 0x09:
      return { type: 'presence', state: readState(from) };
    default:
      throw new Fault('unknown_type');
  }
}

export function writeChannelServerFrame(out: Writer, frame: ChannelServerFrame): Writer {
  switch (frame.type) {
    case 'posted':
      return out.u8(0x86).u32(frame.request).u64(frame.seq);
    case 'refused':
      out.u8(0x87).u32(frame.request).raw(fromHex(frame.channel));
      return out.text16(frame.code).u64(frame.number);
    case 'post':
      return writeItem(out.u8(0x88).raw(fromHex(frame.channel)), frame.item);
    case 'space':
      return out.u8(0x89).raw(fromHex(frame.space)).u64(frame.seq).u64(frame.lists);
    case 'typing':
      out.u8(0x8a).raw(fromHex(frame.channel)).raw(fromHex(frame.account));
      return out.u8(codeOf(frame.began));
    case 'presence':
      out.u8(0x8b).raw(fromHex(frame.space)).raw(fromHex(frame.account));
      return out.u8(stateCode(frame.state));
    case 'behind':
      return out.u8(0x8c).raw(fromHex(frame.channel)).u64(frame.seq);
    case 'watching':
      return out.u8(0x8d).raw(fromHex(frame.channel)).u64(frame.head);
    case 'removed':
      out.u8(0x8e).raw(fromHex(frame.channel)).u8(frame.seqs.length);
      for (const seq of frame.seqs) out.u64(seq);
      return out;
  }
}

export function readChannelServerFrame(type: number, from: Reader): ChannelServerFrame {
  switch (type) {
    case 0x86:
      return { type: 'posted', request: from.u32(), seq: from.u64() };
    case 0x87: {
      const at = { request: from.u32(), channel: readChannel(from) };
      const code = from.text16(64);
      if (!isFaultCode(code)) throw new Fault('malformed');
      return { type: 'refused', ...at, code, number: from.u64() };
    }
    case 0x88:
      return { type: 'post', channel: readChannel(from), item: readItem(from) };
    case 0x89:
      return { type: 'space', space: readSpace(from), seq: from.u64(), lists: from.u64() };
    case 0x8a: {
      const channel = readChannel(from);
      return { type: 'typing', channel, account: readAccount(from), began: readBegan(from) };
    }
    case 0x8b: {
      const space = readSpace(from);
      return { type: 'presence', space, account: readAccount(from), state: readState(from) };
    }
    case 0x8c:
      return { type: 'behind', channel: readChannel(from), seq: from.u64() };
    case 0x8d:
      return { type: 'watching', channel: readChannel(from), head: from.u64() };
    case 0x8e:
      return {
        type: 'removed',
        channel: readChannel(from),
        seqs: several(from, (each) => each.u64()),
      };
    default:
      throw new Fault('unknown_type');
  }
}

function writeItem(out: Writer, item: PostItem): Writer {
  out.u64(item.seq).u64(item.accepted).raw(fromHex(item.author)).u32(item.device);
  return 'post' in item ? out.u8(whole).var32(item.post) : out.u8(gone).raw(item.gone);
}

function readItem(from: Reader): PostItem {
  const placed = { seq: from.u64(), accepted: from.u64() };
  const by = { author: readAccount(from), device: deviceId(from.u32()) };
  const form = from.u8();
  if (form === whole) return { ...placed, ...by, post: readPost(from) };
  if (form === gone) return { ...placed, ...by, gone: from.raw(32) };
  throw new Fault('malformed');
}

function several<T>(from: Reader, read: (from: Reader) => T): T[] {
  const count = from.u8();
  if (count < 1 || count > mostAtOnce) throw new Fault('malformed');
  return Array.from({ length: count }, () => read(from));
}

const readPost = (from: Reader): Uint8Array => from.var32(limits.postBytes);
const readAccount = (from: Reader): AccountId => accountId(hex(from.raw(16)));
const readChannel = (from: Reader): ChannelId => channelId(hex(from.raw(16)));
const readSpace = (from: Reader): SpaceId => spaceId(hex(from.raw(16)));

const codeOf = (began: boolean): number => (began ? 1 : 2);

function readBegan(from: Reader): boolean {
  const code = from.u8();
  if (code < 1 || code > 2) throw new Fault('malformed');
  return code === 1;
}

const stateCode = (state: Presence): number => presences.indexOf(state) + 1;

function readState(from: Reader): Presence {
  const state = presences[from.u8() - 1];
  if (state === undefined) throw new Fault('malformed');
  return state;
}
