/**
 * The bodies by which two devices repair a session. docs/protocol/ratchet.md §9
 *
 *     resync = session 16 ‖ u8 n 1 to 64 × SHA-256 of a session message
 *     resent = u8 n 1 to 64 × { SHA-256 of a session message ‖ u8 fate ‖ id 16 }
 *     fate: 1 the message follows under this id · 2 nothing is missed · 3 it is not there any more
 *
 * `id` is zeros unless the message follows.
 */
import type { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { fixed, id16, readChoice, readEach, writeEach } from './body-fields.ts';

/** What a device could not open, told to the device that sent it. */
export interface ResyncBody {
  kind: 'resync';
  /** Id of the session that failed. */
  session: Uint8Array;
  /** SHA-256 of the session messages that could not be opened: 1 to 64. */
  failed: readonly Uint8Array[];
}

/** What becomes of one of them. */
export type Fate =
  /** It follows, as the message that it was: under its id. */
  | { hash: Uint8Array; fate: 'follows'; id: Uint8Array }
  /** Nobody has to miss it: it was no message of a conversation, or it has been deleted since. */
  | { hash: Uint8Array; fate: 'nothing' }
  /** Its sender has it no more, or never had. */
  | { hash: Uint8Array; fate: 'gone' };

/** The answer to a resync. */
export interface ResentBody {
  kind: 'resent';
  fates: readonly Fate[];
}

const fates = ['follows', 'nothing', 'gone'] as const;
const noId = new Uint8Array(16);

export const writeResync = (out: Writer, { session, failed }: ResyncBody): void =>
  writeEach(out.raw(id16(session)), failed, (hash) => out.raw(fixed(hash, 32)));

export function readResync(from: Reader): ResyncBody {
  const session = from.raw(16);
  return { kind: 'resync', session, failed: readEach(from, () => from.raw(32)) };
}

export const writeResent = (out: Writer, body: ResentBody): void =>
  writeEach(out, body.fates, (each) => {
    const id = each.fate === 'follows' ? id16(each.id) : noId;
    out
      .raw(fixed(each.hash, 32))
      .u8(fates.indexOf(each.fate) + 1)
      .raw(id);
  });

export const readResent = (from: Reader): ResentBody => ({
  kind: 'resent',
  fates: readEach(from, () => {
    const hash = from.raw(32);
    const fate = readChoice(from, fates);
    const id = from.raw(16);
    if (fate === 'follows') return { hash, fate, id };
    if (id.some((byte) => byte !== 0)) throw new Fault('malformed');
    return { hash, fate };
  }),
});
