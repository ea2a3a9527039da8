/** The body that is a text, and what may go with it. docs/protocol/dm.md §2.1 */
import { type Reader, utf8Bytes, type Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';
import { checkTimer, readTarget, type Target, writeTarget } from './body-fields.ts';
import {
  checkMentions,
  type Mention,
  readDescriptors,
  readMentions,
  writeDescriptors,
  writeMentions,
} from './text-fields.ts';

export interface TextBody {
  kind: 'text';
  /** May be empty when there are attachments. */
  text: string;
  reply?: Target;
  mentions?: readonly Mention[];
  /** Seconds from reading, or sending, to the message's end. */
  timer?: number;
  /** Descriptors (attachments.md §2), as bytes. */
  attachments?: readonly Uint8Array[];
  seen?: SeenLog;
}

/** What a home has seen of the island's log of keys. docs/protocol/transparency.md §8.9 */
export interface SeenLog {
  /** Entries, at least 1. */
  size: number;
  /** Of the tree of so many entries, 32 bytes. */
  root: Uint8Array;
}

const parts = { reply: 1, mentions: 2, timer: 4, attachments: 8, seen: 16 } as const;
const allParts = 31;

export function writeText(
  out: Writer,
  { text, reply, mentions, timer, attachments, seen }: TextBody,
): void {
  const size = utf8Bytes(text).length;
  if (size > limits.textBytes) throw new Fault('too_large');
  if (text === '' && !attachments) throw new Fault('malformed');
  out.u8(
    (reply ? parts.reply : 0) |
      (mentions ? parts.mentions : 0) |
      (timer === undefined ? 0 : parts.timer) |
      (attachments ? parts.attachments : 0) |
      (seen ? parts.seen : 0),
  );
  if (reply) writeTarget(out, reply);
  if (mentions) writeMentions(out, mentions, size);
  if (timer !== undefined) out.u32(checkLife(timer));
  if (attachments) writeDescriptors(out, attachments);
  if (seen) {
    const { size, root } = checkSeen(seen);
    out.u64(size).raw(root);
  }
  out.text16(text);
}

export function readText(from: Reader): TextBody {
  const given = from.u8();
  if (given > allParts) throw new Fault('malformed');
  const body: Omit<TextBody, 'text'> = {
    kind: 'text',
    ...(given & parts.reply && { reply: readTarget(from) }),
  };
  if (given & parts.mentions) body.mentions = readMentions(from);
  if (given & parts.timer) body.timer = checkLife(from.u32());
  if (given & parts.attachments) body.attachments = readDescriptors(from);
  if (given & parts.seen) body.seen = checkSeen({ size: from.u64(), root: from.raw(32) });
  const text = from.text16(limits.textBytes);
  if (text === '' && !body.attachments) throw new Fault('malformed');
  if (body.mentions) checkMentions(body.mentions, utf8Bytes(text).length);
  return { ...body, text };
}

/** A log has entries from the first on: of an empty one nobody has seen anything. */
function checkSeen(seen: SeenLog): SeenLog {
  const { size, root } = seen;
  if (!Number.isSafeInteger(size) || size < 1 || root.length !== 32) throw new Fault('malformed');
  return seen;
}

function checkLife(seconds: number): number {
  if (seconds === 0) throw new Fault('malformed');
  return checkTimer(seconds);
}
