/**
 * What a direct message says or does. docs/protocol/dm.md §2
 *
 *     body = u8 kind ‖ fields of the kind
 *     0x01 text          u8 parts ‖ [1: reply, target] ‖ [2: u8 n ≤ 16 × { account 16 ‖ u16 start ‖ u16 length }]
 *                        ‖ [4: u32 seconds] ‖ [8: u8 n ≤ 4 × var16 descriptor] ‖ [16: u64 size ‖ root 32]
 *                        ‖ text16 text
 *     0x02 edit          id 16 ‖ u16 revision ‖ text16 text          of a message of the same sender
 *     0x03 delete        id 16                                       of a message of the same sender
 *     0x04 reaction      target ‖ u8 1 put, 2 take back ‖ text16 emoji (1 to 32 bytes)
 *     0x05 receipt       u8 1 delivered, 2 read ‖ u8 n 1 to 64 × id 16     messages of the recipient of the receipt
 *     0x06 typing        u8 1 began, 2 stopped
 *     0x07 timer         u32 seconds (0: messages stay)              of the conversation from here on
 *     0x08 delivery key  u32 epoch ‖ key 16                          tokens.md §6
 *     0x09 resync        session 16 ‖ u8 n 1 to 64 × SHA-256 of a session message   ratchet.md §9
 *     0x0a sync          peer 16 ‖ text16 peer name ‖ var16 plaintext      to one's own devices only
 *     0x0b marks         u8 n 1 to 64 × { peer 16 ‖ u64 read up to }       to one's own devices only
 *     0x0c contact       u8 1 accepted, 2 blocked, 3 unblocked             to one's own devices only, in a sync
 *     0x0d empty                                                     a message that only moves a session on
 *     0x0e resent        what becomes of messages of a resync        repair-body.ts, ratchet.md §9
 *     0x0f channel key         a place in a chain of the sender's device      channel-key-body.ts, channel.md §8
 *     0x10 channel key wanted  space 16 ‖ channel 16 ‖ chain 16 of the recipient's device
 *     0x11 channel history     var16 bundle                                    history-bundle.ts
 *     0x12 channel marks       u8 n 1 to 64 × { channel 16 ‖ u64 read up to }  to one's own devices only
 *     target = u8 1 of who sends this, 2 of who receives it ‖ id 16
 *
 * Places in a text are counted in UTF-8 bytes. Times are Unix milliseconds, lives are seconds.
 */
import { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId, type ChannelId, personName } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fromHex, hex } from '../wire/text.ts';
import {
  bodyLimits,
  checkEmoji,
  checkText,
  checkTimer,
  id16,
  readChoice,
  readEach,
  readTarget,
  type Target,
  writeEach,
  writeTarget,
} from './body-fields.ts';
import {
  type ChannelHistoryBody,
  type ChannelKeyBody,
  type ChannelKeyWantedBody,
  readChannel,
  readChannelKey,
  readHistory,
  readWanted,
  writeChannelKey,
  writeHistory,
  writeWanted,
} from './channel-key-body.ts';
import {
  type ResentBody,
  type ResyncBody,
  readResent,
  readResync,
  writeResent,
  writeResync,
} from './repair-body.ts';
import { readText, type TextBody, writeText } from './text-body.ts';

export type Body =
  | TextBody
  | { kind: 'edit'; id: Uint8Array; revision: number; text: string }
  | { kind: 'delete'; id: Uint8Array }
  | { kind: 'reaction'; target: Target; put: boolean; emoji: string }
  | { kind: 'receipt'; read: boolean; ids: readonly Uint8Array[] }
  | { kind: 'typing'; began: boolean }
  | { kind: 'timer'; seconds: number }
  | { kind: 'delivery-key'; epoch: number; key: Uint8Array }
  | ResyncBody
  | { kind: 'sync'; peer: AccountId; peerName: string; plaintext: Uint8Array }
  | { kind: 'marks'; marks: readonly { peer: AccountId; readUpTo: number }[] }
  | { kind: 'contact'; state: 'accepted' | 'blocked' | 'unblocked' }
  | { kind: 'empty' }
  | ResentBody
  | ChannelKeyBody
  | ChannelKeyWantedBody
  | ChannelHistoryBody
  | { kind: 'channel-marks'; marks: readonly { channel: ChannelId; readUpTo: number }[] };

export type BodyKind = Body['kind'];
type Of<K extends BodyKind> = Extract<Body, { kind: K }>;

interface Codec<B extends Body> {
  code: number;
  write(out: Writer, body: B): void;
  read(from: Reader): B;
}

const contactStates = ['accepted', 'blocked', 'unblocked'] as const;

const codecs: { [K in BodyKind]: Codec<Of<K>> } = {
  text: { code: 0x01, write: writeText, read: readText },
  edit: {
    code: 0x02,
    write: (out, { id, revision, text }) => out.raw(id16(id)).u16(revision).text16(checkText(text)),
    read: (from) => {
      const id = from.raw(16);
      const revision = from.u16();
      return { kind: 'edit', id, revision, text: checkText(from.text16(limits.textBytes)) };
    },
  },
  delete: {
    code: 0x03,
    write: (out, { id }) => out.raw(id16(id)),
    read: (from) => ({ kind: 'delete', id: from.raw(16) }),
  },
  reaction: {
    code: 0x04,
    write(out, { target, put, emoji }) {
      writeTarget(out, target)
        .u8(put ? 1 : 2)
        .text16(checkEmoji(emoji));
    },
    read(from) {
      const target = readTarget(from);
      const put = readChoice(from, [true, false]);
      return {
        kind: 'reaction',
        target,
        put,
        emoji: checkEmoji(from.text16(bodyLimits.emojiBytes)),
      };
    },
  },
  receipt: {
    code: 0x05,
    write: (out, { read, ids }) => writeEach(out.u8(read ? 2 : 1), ids, (id) => out.raw(id16(id))),
    read(from) {
      const read = readChoice(from, [false, true]);
      return { kind: 'receipt', read, ids: readEach(from, () => from.raw(16)) };
    },
  },
  typing: {
    code: 0x06,
    write: (out, { began }) => out.u8(began ? 1 : 2),
    read: (from) => ({ kind: 'typing', began: readChoice(from, [true, false]) }),
  },
  timer: {
    code: 0x07,
    write: (out, { seconds }) => out.u32(checkTimer(seconds)),
    read: (from) => ({ kind: 'timer', seconds: checkTimer(from.u32()) }),
  },
  'delivery-key': {
    code: 0x08,
    write: (out, { epoch, key }) => out.u32(epoch).raw(id16(key)),
    read: (from) => ({ kind: 'delivery-key', epoch: from.u32(), key: from.raw(16) }),
  },
  resync: { code: 0x09, write: writeResync, read: readResync },
  sync: {
    code: 0x0a,
    write: (out, { peer, peerName, plaintext }) =>
      out.raw(fromHex(peer)).text16(personName(peerName)).var16(plaintext),
    read(from) {
      const peer = accountId(hex(from.raw(16)));
      const peerName = personName(from.text16(limits.nameCharacters));
      return { kind: 'sync', peer, peerName, plaintext: from.var16() };
    },
  },
  marks: {
    code: 0x0b,
    write: (out, { marks }) =>
      writeEach(out, marks, ({ peer, readUpTo }) => out.raw(fromHex(peer)).u64(readUpTo)),
    read: (from) => ({
      kind: 'marks',
      marks: readEach(from, () => ({
        peer: accountId(hex(from.raw(16))),
        readUpTo: from.u64(),
      })),
    }),
  },
  contact: {
    code: 0x0c,
    write: (out, { state }) => out.u8(contactStates.indexOf(state) + 1),
    read: (from) => ({ kind: 'contact', state: readChoice(from, contactStates) }),
  },
  empty: { code: 0x0d, write: () => undefined, read: () => ({ kind: 'empty' }) },
  resent: { code: 0x0e, write: writeResent, read: readResent },
  'channel-key': { code: 0x0f, write: writeChannelKey, read: readChannelKey },
  'channel-key-wanted': { code: 0x10, write: writeWanted, read: readWanted },
  'channel-history': { code: 0x11, write: writeHistory, read: readHistory },
  'channel-marks': {
    code: 0x12,
    write: (out, { marks }) =>
      writeEach(out, marks, ({ channel, readUpTo }) => out.raw(fromHex(channel)).u64(readUpTo)),
    read: (from) => ({
      kind: 'channel-marks',
      marks: readEach(from, () => ({ channel: readChannel(from), readUpTo: from.u64() })),
    }),
  },
};

const kindOf = new Map<number, Codec<Body>>(
  Object.values(codecs).map((codec) => [codec.code, codec as Codec<Body>]),
);

export function writeBody(out: Writer, body: Body): void {
  const codec = codecs[body.kind] as Codec<Body>;
  codec.write(out.u8(codec.code), body);
}

/** Throws `unknown_type` for a kind that is not known here: a newer client sent it. Reads to the end of the kind's fields. */
export function readBody(from: Reader): Body {
  const codec = kindOf.get(from.u8());
  if (codec === undefined) throw new Fault('unknown_type');
  return codec.read(from);
}

export function encodeBody(body: Body): Uint8Array {
  const out = new Writer(128);
  writeBody(out, body);
  return out.done();
}

export function decodeBody(bytes: Uint8Array): Body {
  const from = new Reader(bytes);
  const body = readBody(from);
  from.end();
  return body;
}
