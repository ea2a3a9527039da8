/**
 * What a post says or does. docs/protocol/channel.md §6
 *
 *     body = u8 kind ‖ fields of the kind
 *     0x01 text      u8 parts ‖ [1: reply: target] ‖ [2: u8 n ≤ 16 × { account 16 ‖ u16 start ‖ u16 length }]
 *                    ‖ [4: everyone is mentioned] ‖ [8: u8 n ≤ 4 × var16 descriptor] ‖ text16 text
 *     0x02 edit      id 16 ‖ u16 revision ‖ text16 text          of a post of the same author
 *     0x03 delete    id 16                                       of a post of the same author
 *     0x04 reaction  target ‖ u8 1 put, 2 take back ‖ text16 emoji (1 to 32 bytes)
 *     0x05 pin       target ‖ u8 1 pin, 2 take down
 *     target = author 16 ‖ id 16
 *
 * An id alone names nothing: somebody else may have taken the same one. None of these kinds carries a key:
 * keys of chains go between two devices only (channel-key-body.ts).
 */
import { Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fromHex, hex } from '../wire/text.ts';
import { bodyLimits, checkEmoji, checkText, id16, readChoice } from './body-fields.ts';
import {
  checkMentions,
  type Mention,
  readDescriptors,
  readMentions,
  writeDescriptors,
  writeMentions,
} from './text-fields.ts';

/** A post of the channel, by whom and which. */
export interface PostTarget {
  author: AccountId;
  /** 16 bytes. */
  id: Uint8Array;
}

export interface ChannelText {
  kind: 'text';
  /** May be empty when there are attachments. */
  text: string;
  reply?: PostTarget;
  mentions?: readonly Mention[];
  /** Everyone in the channel is meant. Whether the author may is for the space's log to say. */
  everyone?: true;
  /** Descriptors (attachments.md §2), as bytes. */
  attachments?: readonly Uint8Array[];
}

export type ChannelBody =
  | ChannelText
  | { kind: 'edit'; id: Uint8Array; revision: number; text: string }
  | { kind: 'delete'; id: Uint8Array }
  | { kind: 'reaction'; target: PostTarget; put: boolean; emoji: string }
  | { kind: 'pin'; target: PostTarget; put: boolean };

export type ChannelBodyKind = ChannelBody['kind'];
type Of<K extends ChannelBodyKind> = Extract<ChannelBody, { kind: K }>;

interface Codec<B extends ChannelBody> {
  code: number;
  write(out: Writer, body: B): void;
  read(from: Reader): B;
}

const parts = { reply: 1, mentions: 2, everyone: 4, attachments: 8 } as const;
const allParts = 15;

const writeTarget = (out: Writer, { author, id }: PostTarget): Writer =>
  out.raw(fromHex(author)).raw(id16(id));

function readTarget(from: Reader): PostTarget {
  const author = accountId(hex(from.raw(16)));
  return { author, id: from.raw(16) };
}

function writeText(out: Writer, body: ChannelText): void {
  const { text, reply, mentions, everyone, attachments } = body;
  const size = utf8Bytes(text).length;
  if (size > limits.textBytes) throw new Fault('too_large');
  if (text === '' && !attachments) throw new Fault('malformed');
  out.u8(
    (reply ? parts.reply : 0) |
      (mentions ? parts.mentions : 0) |
      (everyone ? parts.everyone : 0) |
      (attachments ? parts.attachments : 0),
  );
  if (reply) writeTarget(out, reply);
  if (mentions) writeMentions(out, mentions, size);
  if (attachments) writeDescriptors(out, attachments);
  out.text16(text);
}

function readText(from: Reader): ChannelText {
  const given = from.u8();
  if (given > allParts) throw new Fault('malformed');
  const body: Omit<ChannelText, 'text'> = {
    kind: 'text',
    ...(given & parts.reply && { reply: readTarget(from) }),
  };
  if (given & parts.mentions) body.mentions = readMentions(from);
  if (given & parts.everyone) body.everyone = true;
  if (given & parts.attachments) body.attachments = readDescriptors(from);
  const text = from.text16(limits.textBytes);
  if (text === '' && !body.attachments) throw new Fault('malformed');
  if (body.mentions) checkMentions(body.mentions, utf8Bytes(text).length);
  return { ...body, text };
}

const codecs: { [K in ChannelBodyKind]: Codec<Of<K>> } = {
  text: { code: 0x01, write: writeText, read: readText },
  edit: {
    code: 0x02,
    write: (out, { id, revision, text }) => out.raw(id16(id)).u16(revision).text16(checkText(text)),
    read(from) {
      const [id, revision] = [from.raw(16), from.u16()];
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
    write: (out, { target, put, emoji }) =>
      writeTarget(out, target)
        .u8(put ? 1 : 2)
        .text16(checkEmoji(emoji)),
    read(from) {
      const target = readTarget(from);
      const put = readChoice(from, [true, false]);
      const emoji = checkEmoji(from.text16(bodyLimits.emojiBytes));
      return { kind: 'reaction', target, put, emoji };
    },
  },
  pin: {
    code: 0x05,
    write: (out, { target, put }) => writeTarget(out, target).u8(put ? 1 : 2),
    read(from) {
      const target = readTarget(from);
      return { kind: 'pin', target, put: readChoice(from, [true, false]) };
    },
  },
};

const kindOf = new Map<number, Codec<ChannelBody>>(
  Object.values(codecs).map((codec) => [codec.code, codec as Codec<ChannelBody>]),
);

export function writeChannelBody(out: Writer, body: ChannelBody): void {
  const codec = codecs[body.kind] as Codec<ChannelBody>;
  codec.write(out.u8(codec.code), body);
}

/** Throws `unknown_type` for a kind that is not known here. Reads to the end of the kind's fields. */
export function readChannelBody(from: Reader): ChannelBody {
  const codec = kindOf.get(from.u8());
  if (codec === undefined) throw new Fault('unknown_type');
  return codec.read(from);
}

export function encodeChannelBody(body: ChannelBody): Uint8Array {
  const out = new Writer(128);
  writeChannelBody(out, body);
  return out.done();
}

export function decodeChannelBody(bytes: Uint8Array): ChannelBody {
  const from = new Reader(bytes);
  const body = readChannelBody(from);
  from.end();
  return body;
}
