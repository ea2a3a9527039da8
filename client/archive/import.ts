/**
 * What other devices of the account have archived becomes part of this home's history.
 * docs/protocol/archive.md §5
 *
 * Verified segments are added in one commit with the place up to where the archive was read. A message
 * that is known here, because it came through the mailbox or was sent from here, is not added again, and
 * needs not be archived again.
 */
import type { MessageEntry } from '@island/protocol/crypto/archive-entry.ts';
import { readSegment } from '@island/protocol/crypto/archive-segment.ts';
import {
  checkNewer,
  type DeviceList,
  openDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import type { TextBody } from '@island/protocol/crypto/text-body.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { actRow, isAct } from '../messages/acts.ts';
import { fromArchive, type Incoming, type Outgoing, saidOf } from '../messages/messages.ts';
import { actedOn, type ContactChanges, contactChanges, wroteTo } from '../people/contacts.ts';
import { leftBehind, personRows, readPin } from '../people/people.ts';
import type { Append, Place, Put, Storage } from '../storage/storage.ts';
import { readLatch, unlatched } from '../transparency/latch.ts';
import type { OpenedSegment } from './chain.ts';
import {
  type ArchiveState,
  type Held,
  type Identity,
  identityKey,
  identityRows,
  isKnown,
  outgoingPlace,
  type Pending,
  pendingRows,
  readOutgoing,
  stateExpected,
  stateRow,
} from './rows.ts';

/** A commit in the making. */
interface Import {
  storage: Storage;
  append: Append[];
  put: Put[];
  remove: Place[];
  expect: (Place & { version: number })[];
  identities: Set<string>;
  /** Lists that are pinned by this commit, or were before, by name. */
  pins: Map<string, DeviceList | undefined>;
  contacts: ContactChanges;
  messages: number;
}

/**
 * Adds what the segments hold and moves on to the last of them; answers the state after it and how many
 * messages are new here. Throws `Conflict` when another process came between.
 */
export async function importSegments(
  storage: Storage,
  account: AccountId,
  held: Held<ArchiveState>,
  opened: readonly OpenedSegment[],
): Promise<{ state: Held<ArchiveState>; messages: number }> {
  const last = opened.at(-1)?.segment;
  if (!last) return { state: held, messages: 0 };
  const adding: Import = {
    storage,
    append: [],
    put: [],
    remove: [],
    expect: [stateExpected(held.version)],
    identities: new Set(),
    pins: new Map(),
    contacts: contactChanges(storage),
    messages: 0,
  };
  const { caughtUp } = held.value;
  for (const { entries, listed } of opened) {
    for (const entry of entries) {
      if (entry.kind === 'message') await addMessage(adding, entry, account, !caughtUp);
      else if (caughtUp || listed) await addContact(adding, entry.list, account, caughtUp);
    }
  }
  await dropPending(adding, opened);
  const { floor, ...before } = held.value;
  const { seq, hash, listEpoch, arkEpoch } = last;
  const value: ArchiveState = {
    ...before,
    ...{ seq, hash, listEpoch, arkEpoch },
    ...(floor && floor.seq > seq && { floor }),
  };
  const { append, put, remove, expect, messages } = adding;
  const contacts = adding.contacts.rows();
  const { version } = await storage.commit({
    append,
    put: [...put, ...contacts.put, stateRow(value)],
    remove,
    expect: [...expect, ...contacts.expect],
  });
  return { state: { value, version }, messages };
}

const identityOf = ({ direction, peer, id }: MessageEntry): Identity => ({
  direction,
  peer,
  id: hex(id),
});

async function addMessage(
  adding: Import,
  entry: MessageEntry,
  account: AccountId,
  earlier: boolean,
): Promise<void> {
  const identity = identityOf(entry);
  const key = identityKey(identity);
  if (entry.peer === account || adding.identities.has(key)) return;
  adding.identities.add(key);
  if (await isKnown(adding.storage, identity)) return;
  const known = identityRows(identity);
  adding.put.push(known.put);
  adding.expect.push(known.expect);
  const { body, peer, sentAt } = entry;
  if (body.kind === 'text') {
    adding.append.push(fromArchive(messageOf(entry, body, earlier)));
    adding.messages += 1;
    if (entry.direction === 'out') await adding.contacts.change(peer, wroteTo);
  } else if (isAct(body)) {
    const { receivedAt, peerName: name } = entry;
    const act = { ...identity, name, sentAt, receivedAt, body };
    adding.append.push(actRow(act, {}));
    await adding.contacts.change(peer, actedOn(act));
  }
}

function messageOf(entry: MessageEntry, body: TextBody, earlier: boolean): Incoming | Outgoing {
  const { peerName, sentAt, receivedAt } = entry;
  const said = { id: hex(entry.id), peer: entry.peer, ...saidOf(body), sentAt };
  return entry.direction === 'in'
    ? { type: 'message', from: peerName, ...said, receivedAt, ...(earlier && { earlier }) }
    : { type: 'sent', to: peerName, ...said, state: 'accepted', elsewhere: true };
}

/**
 * A home that reads the archive for the first time takes its pins from it in their order: another device
 * has followed every change between them, or its person has accepted it; from devices that were removed
 * since it takes none, and whoever removed them wrote its own anew. One that has pins of its own
 * takes what plainly follows from them; the rest it will see, and judge, when it asks the island.
 */
async function addContact(
  adding: Import,
  bytes: Uint8Array,
  account: AccountId,
  checked: boolean,
): Promise<void> {
  const list = openList(bytes);
  if (!list || list.account === account) return;
  // A device that was not caught out may hand on what the island invented for it.
  if (await readLatch(adding.storage)) return;
  let known = adding.pins.get(list.name);
  if (!adding.pins.has(list.name)) {
    const pin = await readPin(adding.storage, list.name);
    known = pin.list;
    adding.expect.push(pin.expect);
  }
  adding.pins.set(list.name, known);
  if (known && !(checked ? follows(known, list) : isLater(known, list))) return;
  adding.pins.set(list.name, list);
  adding.put.push(...personRows(list));
  adding.expect.push(unlatched);
  if (known) adding.remove.push(...leftBehind(known, list));
}

/** One that does not open pins nobody. */
function openList(bytes: Uint8Array): DeviceList | undefined {
  try {
    return openDeviceList(bytes);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return undefined;
  }
}

function follows(known: DeviceList, next: DeviceList): boolean {
  try {
    checkNewer(known, next);
    return next.epoch > known.epoch;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return false;
  }
}

const isLater = (known: DeviceList, next: DeviceList): boolean =>
  next.account !== known.account || next.epoch > known.epoch;

/** What the segments hold needs not be written again, and a segment of ours that they took the place of can't be. */
async function dropPending(adding: Import, opened: readonly OpenedSegment[]): Promise<void> {
  const { storage, remove, expect } = adding;
  const last = opened.at(-1)?.segment.seq ?? 0;
  const outgoing = await readOutgoing(storage);
  if (outgoing && readSegment(outgoing.value.segment).seq <= last) {
    remove.push(outgoingPlace);
    expect.push({ ...outgoingPlace, version: outgoing.version });
  }
  const rows = await pendingRows(storage);
  if (rows.length === 0) return;
  const lists = archivedLists(opened);
  for (const pending of rows) {
    if (!(await isArchived(adding, pending, lists))) continue;
    const { namespace, key, version } = pending.row;
    remove.push({ namespace, key });
    expect.push({ namespace, key, version });
  }
}

/** The newest epoch of each account's list in these segments. */
function archivedLists(opened: readonly OpenedSegment[]): Map<AccountId, DeviceList> {
  const lists = new Map<AccountId, DeviceList>();
  for (const entry of opened.flatMap(({ entries }) => entries)) {
    if (entry.kind !== 'contact') continue;
    const list = openList(entry.list);
    if (!list) continue;
    const known = lists.get(list.account);
    if (!known || known.epoch < list.epoch) lists.set(list.account, list);
  }
  return lists;
}

async function isArchived(
  { identities, pins, storage }: Import,
  pending: Pending,
  lists: ReadonlyMap<AccountId, DeviceList>,
): Promise<boolean> {
  if (pending.kind === 'message') return identities.has(identityKey(pending.identity));
  const archived = lists.get(pending.account);
  if (!archived) return false;
  const pinned = pins.get(archived.name) ?? (await readPin(storage, archived.name)).list;
  return pinned?.account === archived.account && archived.epoch >= pinned.epoch;
}
