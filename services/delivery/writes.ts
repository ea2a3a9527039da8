/**
 * A group of puts and acknowledgements in one transaction, with one statement for many rows.
 * docs/protocol/dm.md §7
 *
 * Within a group the acknowledgements go first: they speak of envelopes committed before, and make
 * room. Each put is stored whole or not at all; its fault is its own and leaves the others alone.
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import {
  type AccountId,
  type DeviceId,
  type DeviceKey,
  deviceKey,
  type EnvelopeId,
} from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Outcome } from '../kit/group-commit.ts';
import type { SqlValue, Statements } from '../kit/store-handle.ts';

export interface Envelope {
  device: DeviceId;
  id: EnvelopeId;
  body: Uint8Array;
}

/** An envelope that was stored, and where. */
export interface Mail {
  mailbox: DeviceKey;
  seq: number;
  id: EnvelopeId;
  body: Uint8Array;
}

export type Write =
  | {
      kind: 'put';
      account: AccountId;
      envelopes: readonly Envelope[];
      admission: { readonly overtaken: boolean };
    }
  /** Forgets everything up to `seq`, acknowledged or expired. */
  | { kind: 'forget'; mailbox: Uint8Array; seq: number }
  /** Forgets everything and the mailbox itself: its device left, and ids of devices do not return. */
  | { kind: 'close'; mailbox: Uint8Array };

type Put = Extract<Write, { kind: 'put' }>;
type Forget = Extract<Write, { kind: 'forget' }>;
/** A put that the directory overtook is decided about anew, not by this transaction. */
export type Placed = readonly Mail[] | 'overtaken';

interface Box {
  key: Buffer;
  head: number;
  floor: number;
}

/** Above every `seq`. */
const everything = Number.MAX_SAFE_INTEGER;

/** `account 16 ‖ u32 device`. */
export function mailboxOf(account: AccountId, device: DeviceId): Buffer {
  const key = Buffer.alloc(20);
  key.write(account, 'hex');
  key.writeUInt32BE(device, 16);
  return key;
}

/** @param day days since 1970-01-01 UTC; @returns for each put the mail that is new */
export async function apply(
  writes: readonly Write[],
  sql: Statements,
  day: number,
): Promise<Outcome<Placed>[]> {
  const closed = writes.filter((write) => write.kind === 'close').map(({ mailbox }) => mailbox);
  const emptied = closed.map((mailbox): Forget => ({ kind: 'forget', mailbox, seq: everything }));
  await forget([...writes.filter((write) => write.kind === 'forget'), ...emptied], sql, day);
  for (const group of inGroups(closed, true)) {
    await sql.run(`DELETE FROM mailboxes WHERE mailbox IN (${marks('?', group)})`, group);
  }
  const all = writes.filter((write) => write.kind === 'put');
  const puts = all.filter(({ admission }) => !admission.overtaken);
  const boxes = await loadBoxes(puts, sql);
  const known = await loadKnown(puts, sql);
  const placed = new Map(puts.map((put) => [put, place(put, boxes, known)]));
  const mail = [...placed.values()].flatMap((outcome) =>
    'result' in outcome ? outcome.result : [],
  );
  await insert(mail, boxes, sql, day);
  return writes.map((write): Outcome<Placed> => {
    if (write.kind !== 'put') return { result: [] };
    return placed.get(write) ?? { result: 'overtaken' };
  });
}

/** Gives each new envelope its place. Nothing is changed when one of them has none. */
function place(put: Put, boxes: Map<DeviceKey, Box>, known: Set<string>): Outcome<Mail[]> {
  const mail: Mail[] = [];
  for (const { device, id, body } of put.envelopes) {
    const mailbox = deviceKey(put.account, device);
    if (known.has(id + mailbox)) continue;
    const box = boxes.get(mailbox) ?? { key: mailboxOf(put.account, device), head: 0, floor: 0 };
    boxes.set(mailbox, box);
    if (box.head - box.floor >= limits.mailboxEnvelopes)
      return { fault: new Fault('mailbox_full') };
    // A put has one envelope a device, so `head` moves once below.
    mail.push({ mailbox, seq: box.head + 1, id, body });
  }
  for (const { mailbox, seq, id } of mail) {
    known.add(id + mailbox);
    const box = boxes.get(mailbox);
    if (box !== undefined) box.head = seq;
  }
  return { result: mail };
}

async function loadBoxes(puts: readonly Put[], sql: Statements): Promise<Map<DeviceKey, Box>> {
  const keys = new Map<string, { key: Buffer; name: DeviceKey }>();
  for (const { account, envelopes } of puts) {
    for (const { device } of envelopes) {
      const key = mailboxOf(account, device);
      keys.set(key.toString('hex'), { key, name: deviceKey(account, device) });
    }
  }
  const boxes = new Map<DeviceKey, Box>();
  for (const group of inGroups(
    [...keys.values()].map(({ key }) => key),
    true,
  )) {
    const rows = await sql.rows<{ mailbox: Buffer; head: number; floor: number }>(
      `SELECT mailbox, head, floor FROM mailboxes WHERE mailbox IN (${marks('?', group)})`,
      group,
    );
    for (const { mailbox, head, floor } of rows) {
      const name = keys.get(mailbox.toString('hex'))?.name;
      if (name !== undefined) boxes.set(name, { key: mailbox, head, floor });
    }
  }
  return boxes;
}

/** `id ‖ mailbox` of those of the puts' envelopes that were accepted before. */
async function loadKnown(
  puts: readonly Pick<Put, 'envelopes'>[],
  sql: Pick<Statements, 'rows'>,
): Promise<Set<string>> {
  const ids = new Set<EnvelopeId>();
  for (const { envelopes } of puts) for (const { id } of envelopes) ids.add(id);
  const known = new Set<string>();
  for (const group of inGroups(
    [...ids].map((id) => Buffer.from(id, 'hex')),
    true,
  )) {
    const rows = await sql.rows<{ id: Buffer; mailbox: Buffer }>(
      `SELECT id, mailbox FROM accepted WHERE id IN (${marks('?', group)})`,
      group,
    );
    for (const { id, mailbox } of rows) {
      const account = mailbox.toString('hex', 0, 16);
      known.add(`${id.toString('hex')}${account}.${mailbox.readUInt32BE(16)}`);
    }
  }
  return known;
}

/** Whether every envelope of the put was accepted before: the sender repeats what it got no answer to. */
export async function isRepeated(
  put: Omit<Put, 'admission'>,
  sql: Pick<Statements, 'rows'>,
): Promise<boolean> {
  const known = await loadKnown([put], sql);
  return put.envelopes.every(({ device, id }) => known.has(id + deviceKey(put.account, device)));
}

async function insert(
  mail: readonly Mail[],
  boxes: ReadonlyMap<DeviceKey, Box>,
  sql: Statements,
  day: number,
): Promise<void> {
  const touched = new Map<DeviceKey, Box>();
  const rows = mail.map(({ mailbox, seq, id, body }) => {
    const box = boxes.get(mailbox);
    if (box === undefined) throw new TypeError('mail for a mailbox that was not loaded');
    touched.set(mailbox, box);
    return { key: box.key, seq, id: Buffer.from(id, 'hex'), body };
  });
  for (const group of inGroups([...touched.values()])) {
    await sql.run(
      `INSERT INTO mailboxes (mailbox, head, floor) VALUES ${marks('(?,?,?)', group)}
       ON CONFLICT (mailbox) DO UPDATE SET head = excluded.head`,
      group.flatMap(({ key, head, floor }) => [key, head, floor]),
    );
  }
  for (const group of inGroups(rows)) {
    await sql.run(
      `INSERT INTO envelopes (mailbox, seq, id, body, day) VALUES ${marks('(?,?,?,?,?)', group)}`,
      group.flatMap(({ key, seq, id, body }): SqlValue[] => [key, seq, id, body, day]),
    );
    await sql.run(
      `INSERT INTO accepted (id, mailbox, gone) VALUES ${marks('(?,?,NULL)', group)}`,
      group.flatMap(({ key, id }) => [id, key]),
    );
  }
}

/** Deletes the envelopes, remembers their ids, moves the floor. */
async function forget(forgets: readonly Forget[], sql: Statements, day: number): Promise<void> {
  const upTo = new Map<string, { mailbox: Uint8Array; seq: number }>();
  for (const { mailbox, seq } of forgets) {
    const name = Buffer.from(mailbox).toString('hex');
    if (seq > (upTo.get(name)?.seq ?? 0)) upTo.set(name, { mailbox, seq });
  }
  for (const group of inGroups([...upTo.values()], true)) {
    const pairs = group.flatMap(({ mailbox, seq }) => [mailbox, seq]);
    const given = `(VALUES ${marks('(?,?)', group)}) AS given`;
    const gone = `${given} CROSS JOIN envelopes AS e ON e.mailbox = given.column1 AND e.seq <= given.column2`;
    await sql.run(
      `UPDATE accepted SET gone = ? WHERE (id, mailbox) IN (SELECT e.id, e.mailbox FROM ${gone})`,
      [day, ...pairs],
    );
    await sql.run(
      `DELETE FROM envelopes WHERE (mailbox, seq) IN (SELECT e.mailbox, e.seq FROM ${gone})`,
      pairs,
    );
    await sql.run(
      `UPDATE mailboxes SET floor = max(floor, min(head, given.column2)) FROM ${given}
       WHERE mailboxes.mailbox = given.column1`,
      pairs,
    );
  }
}

const marks = (mark: string, group: readonly unknown[]): string =>
  Array(group.length).fill(mark).join(',');

/**
 * Cuts a list into groups of few different lengths, so that few statements are prepared.
 * @param repeat fill the last group up with its last item, where saying a thing twice changes nothing
 */
function inGroups<T>(items: readonly T[], repeat = false): T[][] {
  const groups: T[][] = [];
  for (let at = 0; at < items.length; ) {
    const left = items.length - at;
    const size = repeat
      ? [1, 4, 16, 64].find((size) => size >= left)
      : [64, 16, 4, 1].find((size) => size <= left);
    const group = items.slice(at, at + (size ?? 64));
    const last = group[group.length - 1];
    while (size !== undefined && group.length < size && last !== undefined) group.push(last);
    groups.push(group);
    at += size ?? 64;
  }
  return groups;
}
