/**
 * What a segment of the archive says. docs/protocol/archive.md §3
 *
 *     entries = u8 1 ‖ u8 0x51 ‖ u16 n ‖ n × var16 { u8 kind ‖ … }      n = 0: a fence
 *     1 message: u8 direction (1 in, 2 out) ‖ peer account 16 ‖ text16 peer name ‖ id 16
 *                ‖ u64 sentAt ‖ u64 receivedAt ‖ var16 body (body.ts)
 *     2 contact: a device list (devices.md §4) as this device accepted it
 *
 * Times are Unix milliseconds. An entry of a kind that is not known here, or a message whose body is of one,
 * is skipped and counted: a newer client of the same person wrote it.
 */
import { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId, personName } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { structureBytes } from '../wire/route.ts';
import { fromHex, hex } from '../wire/text.ts';
import { segmentRoom } from './archive-segment.ts';
import { type Body, decodeBody, encodeBody } from './body.ts';
import { longestPlaintext } from './padding.ts';

export interface MessageEntry {
  kind: 'message';
  direction: 'in' | 'out';
  peer: AccountId;
  /** What the peer was called then. */
  peerName: string;
  /** 16 bytes: the message's own id, the same on every device. */
  id: Uint8Array;
  /** What the sender's clock said. */
  sentAt: number;
  /** What the clock of the device said that has it; `sentAt` for what it sent itself. */
  receivedAt: number;
  body: Body;
}

export interface ContactEntry {
  kind: 'contact';
  /** The bytes of the list; `openDeviceList` is for the reader. */
  list: Uint8Array;
}

export type ArchiveEntry = MessageEntry | ContactEntry;

const version = 1;
const type = 0x51;
const kinds = { message: 1, contact: 2 } as const;
const directions = ['in', 'out'] as const;
const headBytes = 4;

function encodeEntry(entry: ArchiveEntry): Uint8Array {
  if (entry.kind === 'contact') {
    checkList(entry.list);
    return new Writer(entry.list.length + 1).u8(kinds.contact).raw(entry.list).done();
  }
  const { direction, peer, peerName, id, sentAt, receivedAt, body } = entry;
  if (id.length !== 16) throw new Fault('malformed');
  const out = new Writer(256).u8(kinds.message).u8(directions.indexOf(direction) + 1);
  out.raw(fromHex(peer)).text16(personName(peerName)).raw(id).u64(sentAt).u64(receivedAt);
  return out.var16(encodeBody(body)).done();
}

function checkList(list: Uint8Array): Uint8Array {
  if (list.length === 0) throw new Fault('malformed');
  if (list.length > structureBytes.list) throw new Fault('too_large');
  return list;
}

/** `undefined` for a kind that is not known here. */
function decodeEntry(bytes: Uint8Array): ArchiveEntry | undefined {
  const from = new Reader(bytes);
  const kind = from.u8();
  if (kind === kinds.contact) return { kind: 'contact', list: checkList(from.raw(from.left)) };
  if (kind !== kinds.message) return undefined;
  const direction = directions[from.u8() - 1];
  if (direction === undefined) throw new Fault('malformed');
  const peer = accountId(hex(from.raw(16)));
  const peerName = personName(from.text16(limits.nameCharacters));
  const id = from.raw(16);
  const times = { sentAt: from.u64(), receivedAt: from.u64() };
  const body = knownBody(from.var16(longestPlaintext));
  from.end();
  return body && { kind: 'message', direction, peer, peerName, id, ...times, body };
}

function knownBody(bytes: Uint8Array): Body | undefined {
  try {
    return decodeBody(bytes);
  } catch (error) {
    if (error instanceof Fault && error.code === 'unknown_type') return undefined;
    throw error;
  }
}

/**
 * How many of the first `entries` fit into one segment. Throws `too_large` for a text or a list above its
 * limit; a single entry within its limit always fits.
 */
export function fittingEntries(entries: readonly ArchiveEntry[]): number {
  let left = segmentRoom - headBytes;
  const end = entries.findIndex((entry) => {
    left -= 2 + encodeEntry(entry).length;
    return left < 0;
  });
  return end === -1 ? entries.length : end;
}

/** None make a fence. Throws `too_large` above what one segment takes, `malformed` for one out of form. */
export function encodeEntries(entries: readonly ArchiveEntry[]): Uint8Array {
  const out = new Writer(1024).u8(version).u8(type).u16(entries.length);
  for (const entry of entries) out.var16(encodeEntry(entry));
  const bytes = out.done();
  if (bytes.length > segmentRoom) throw new Fault('too_large');
  return bytes;
}

/** `skipped`: how many entries were of a kind that is not known here. */
export function decodeEntries(bytes: Uint8Array): { entries: ArchiveEntry[]; skipped: number } {
  if (bytes.length > segmentRoom) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
  const count = from.u16();
  const entries: ArchiveEntry[] = [];
  for (let i = 0; i < count; i++) {
    const entry = decodeEntry(from.var16());
    if (entry !== undefined) entries.push(entry);
  }
  from.end();
  return { entries, skipped: count - entries.length };
}
