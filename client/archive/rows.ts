/**
 * What this home keeps about its archive: what is still to be written there, which messages are known,
 * up to where it was read, and the segment that is on its way. docs/protocol/archive.md §5
 *
 * Invariants: a message is committed together with its identity and, when it belongs into the archive,
 * with the row that says so. Whoever adds a message expects its identity not to be there: what comes
 * through the mailbox and through the archive at once is one message.
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { Problem } from '../problem.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import {
  type Batch,
  type Place,
  type Put,
  type Row,
  type Storage,
  untilCommitted,
} from '../storage/storage.ts';

/** What makes a message the same on all devices of an account, whichever way it came to them. */
export interface Identity {
  direction: 'in' | 'out';
  peer: AccountId;
  /** 32 hex digits, chosen by the sender. */
  id: string;
}

const nothing = new Uint8Array(0);
const text = new TextDecoder();
const identities = 'message-ids';
const pending = 'archive-pending';
const standing = 'archive';

export const identityKey = ({ direction, peer, id }: Identity): string =>
  `${direction} ${peer} ${id}`;

/** For the commit that adds the message: its identity, and that nobody has added it before. */
export function identityRows(identity: Identity): {
  put: Put;
  expect: Place & { version: number };
} {
  const place = { namespace: identities, key: identityKey(identity) };
  return { put: { ...place, bytes: nothing }, expect: { ...place, version: 0 } };
}

export const isKnown = async (storage: Storage, identity: Identity): Promise<boolean> =>
  (await storage.read(identities, identityKey(identity))) !== undefined;

/** Beside a message, under its key: it is to be archived. */
export const pendingMessage = (identity: Identity) => ({
  namespace: pending,
  bytes: utf8Bytes(identityKey(identity)),
});

export const pendingPlace = (key: string): Place => ({ namespace: pending, key });

const contact = 'contact ';

/** The accepted list of this account is to be archived, as it is by then. */
export const pendingContact = (account: AccountId): Put => ({
  namespace: pending,
  key: contact + account,
  bytes: nothing,
});

export type Pending = { row: Place & { version: number } } & (
  | { kind: 'message'; key: string; identity: Identity }
  | { kind: 'contact'; account: AccountId }
);

/** What is to be archived: messages in the order of the history, then contacts. */
export async function pendingRows(storage: Storage, limit?: number): Promise<Pending[]> {
  const rows = await storage.list(pending, limit === undefined ? {} : { limit });
  return rows.map(readPending);
}

export const hasPending = async (storage: Storage): Promise<boolean> =>
  (await storage.list(pending, { limit: 1 })).length > 0;

function readPending({ key, bytes, version }: Row): Pending {
  const row = { namespace: pending, key, version };
  if (key.startsWith(contact))
    return { row, kind: 'contact', account: accountId(key.slice(contact.length)) };
  const [direction, peer, id] = text.decode(bytes).split(' ');
  if ((direction !== 'in' && direction !== 'out') || peer === undefined || id === undefined)
    throw damaged(key);
  return { row, kind: 'message', key, identity: { direction, peer: accountId(peer), id } };
}

const damaged = (key: string): Problem =>
  new Problem('home_damaged', {
    home: 'the home folder',
    reason: `the record ${key} cannot be read`,
  });

/** A place in the chain of segments. */
const head = v.strictObject({ seq: s.count, hash: bytes64 });
export type Head = v.InferOutput<typeof head>;
export const noHead: Head = { seq: 0, hash: new Uint8Array(32) };

const state = v.strictObject({
  /** The newest segment that was read or written here: an island may never show an older archive. */
  ...head.entries,
  /** Of that segment; those behind it have no lower ones. */
  listEpoch: s.count,
  arkEpoch: s.count,
  /** The head that somebody who had the keys of the account vouched for, while it was not reached. */
  floor: v.optional(head),
  /** The newest segment that keys of this account have vouched for: what devices wrote that were removed since. */
  vouched: v.optional(s.count),
  /** Until all was read once, what is read was shown on other devices already. */
  caughtUp: v.boolean(),
});
export type ArchiveState = v.InferOutput<typeof state>;

const stateKey = { namespace: standing, key: 'state' };
const outgoingKey = { namespace: standing, key: 'outgoing' };

export interface Held<T> {
  value: T;
  version: number;
}

/** Undefined in a home whose history is not prepared for the archive (migration.ts). */
export async function readState(storage: Storage): Promise<Held<ArchiveState> | undefined> {
  const row = await storage.read(stateKey.namespace, stateKey.key);
  return row && { value: decodeRecord(state, row), version: row.version };
}

export const stateRow = (value: ArchiveState): Put => ({
  ...stateKey,
  bytes: encodeRecord(value),
});
export const stateExpected = (version: number) => ({ ...stateKey, version });

/**
 * For the commit by which a home becomes a device of an account that has an archive: `known` is the
 * head that came with the keys.
 */
export const archiveStart = (known: Head): Put =>
  stateRow({
    ...noHead,
    listEpoch: 0,
    arkEpoch: 0,
    ...(known.seq > 0 && { floor: known, vouched: known.seq }),
    caughtUp: false,
  });

/** The newest segment that this home has read or written; what a new key record vouches for. */
export async function archiveHead(storage: Storage): Promise<Head> {
  const held = await readState(storage);
  return held ? { seq: held.value.seq, hash: held.value.hash } : noHead;
}

/**
 * A key record that was accepted vouches for a head, in place of the one before: that may be of a device
 * which was removed. Throws `archive_rolled_back` when another segment was read here in its place.
 */
export const vouchedFor = (storage: Storage, known: Head): Promise<void> =>
  untilCommitted(async () => {
    const held = await readState(storage);
    if (!held) return;
    const { seq, hash, floor } = held.value;
    if (known.seq === seq && seq > 0 && !equal(known.hash, hash))
      throw new Problem('archive_rolled_back');
    const { floor: _before, ...rest } = held.value;
    const vouched = Math.max(known.seq, held.value.vouched ?? 0);
    const ahead = known.seq > seq;
    if (vouched === held.value.vouched && (floor ? ahead && equal(floor.hash, known.hash) : !ahead))
      return;
    const put = [stateRow({ ...rest, ...(ahead && { floor: known }), vouched })];
    await storage.commit({ put, expect: [stateExpected(held.version)] });
  });

/** A segment that may have left: it is sent as it is, or proved not to be in the archive. */
const outgoing = v.strictObject({
  segment: bytes64,
  /** The rows that it settles, at the versions that they had. */
  rows: v.array(v.strictObject({ key: v.string(), version: v.number() })),
});
export type OutgoingSegment = v.InferOutput<typeof outgoing>;

export async function readOutgoing(storage: Storage): Promise<Held<OutgoingSegment> | undefined> {
  const row = await storage.read(outgoingKey.namespace, outgoingKey.key);
  return row && { value: decodeRecord(outgoing, row), version: row.version };
}

export const outgoingBatch = (value: OutgoingSegment): Batch => ({
  put: [{ ...outgoingKey, bytes: encodeRecord(value) }],
  expect: [{ ...outgoingKey, version: 0 }],
});

export const outgoingPlace = outgoingKey;

/** Removes those of the rows that nobody has written anew since; a contact may have. */
export async function settleRows(
  storage: Storage,
  rows: readonly { key: string; version: number }[],
): Promise<{ remove: Place[]; expect: (Place & { version: number })[] }> {
  const remove: Place[] = [];
  const expect: (Place & { version: number })[] = [];
  for (const { key, version } of rows) {
    const place = { namespace: pending, key };
    if ((await storage.read(pending, key))?.version !== version) continue;
    remove.push(place);
    expect.push({ ...place, version });
  }
  return { remove, expect };
}
