/** What is to be archived, as entries of one segment. docs/protocol/archive.md §3 */
import {
  type ArchiveEntry,
  encodeEntries,
  fittingEntries,
} from '@island/protocol/crypto/archive-entry.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { fromHex, hex } from '@island/protocol/wire/text.ts';
import { findMessage } from '../conversation/places.ts';
import { readAct } from '../messages/acts.ts';
import { bodyOf, readMessage } from '../messages/messages.ts';
import type { People } from '../people/people.ts';
import type { Storage } from '../storage/storage.ts';
import { type OutgoingSegment, type Pending, pendingRows } from './rows.ts';

/** Rows that are looked at for one segment: more of the shortest messages do not fit. */
const most = 550;

export interface Collected {
  /** Undefined when nothing is to be archived. */
  entries: Uint8Array | undefined;
  /** The rows that they settle. */
  rows: OutgoingSegment['rows'];
}

/** As many of the oldest as fit. */
export async function collectEntries(
  storage: Storage,
  people: Pick<People, 'known'>,
): Promise<Collected> {
  const found: { entry: ArchiveEntry | undefined; row: OutgoingSegment['rows'][number] }[] = [];
  for (const pending of await pendingRows(storage, most)) {
    const { key, version } = pending.row;
    found.push({ entry: await entryOf(storage, people, pending), row: { key, version } });
  }
  const entries = found.flatMap(({ entry }) => (entry ? [entry] : []));
  const fitting = entries.slice(0, fittingEntries(entries));
  const taken = new Set(fitting);
  const rows = found.filter(({ entry }) => !entry || taken.has(entry)).map(({ row }) => row);
  return { entries: fitting.length > 0 ? encodeEntries(fitting) : undefined, rows };
}

/** Undefined for what is gone, or can't be said in an archive: nothing may hold up what is behind it. */
async function entryOf(
  storage: Storage,
  people: Pick<People, 'known'>,
  pending: Pending,
): Promise<ArchiveEntry | undefined> {
  const entry = await read(storage, people, pending);
  if (!entry) return undefined;
  try {
    encodeEntries([entry]);
    return entry;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return undefined;
  }
}

async function read(
  storage: Storage,
  people: Pick<People, 'known'>,
  pending: Pending,
): Promise<ArchiveEntry | undefined> {
  if (pending.kind === 'contact') {
    const person = await people.known(pending.account);
    return person && { kind: 'contact', list: person.list.bytes };
  }
  const { direction, peer } = pending.identity;
  const common = { kind: 'message', direction, peer } as const;
  const message = await readMessage(storage, pending.key);
  if (message?.type === 'unreadable') return undefined;
  // What disappears is never archived; what was taken back has nothing to say.
  if (message && (message.timer !== undefined || message.deleted)) return undefined;
  if (message) {
    const { sentAt } = message;
    const sent = message.type === 'sent';
    const [peerName, receivedAt] = sent ? [message.to, sentAt] : [message.from, message.receivedAt];
    const id = fromHex(message.id);
    return { ...common, peerName, id, sentAt, receivedAt, body: bodyOf(message) };
  }
  const act = await readAct(storage, pending.key);
  if (!act) return undefined;
  const { name: peerName, sentAt, receivedAt, body } = act;
  if (body.kind === 'edit') {
    const target = { direction, id: hex(body.id) };
    const edited = await findMessage(storage, target, peer, peerName);
    if (edited?.timer !== undefined) return undefined;
  }
  return { ...common, peerName, id: fromHex(act.id), sentAt, receivedAt, body };
}
