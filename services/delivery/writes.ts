/**
 * A group of puts, payments and acknowledgements in one transaction, with one statement for many rows.
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
import type { Sealer } from './bodies.ts';
import { type DeliveryKeys, loadDeliveryKeys } from './delivery-keys.ts';
import type { Paid } from './payment.ts';
import { inGroups, marks } from './row-groups.ts';
import { type Ledger, loadSpent, type Spendable } from './tokens/spent.ts';

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
  /** Whether it came without the recipient's delivery key. */
  request: boolean;
  body: Uint8Array;
}

export type Write =
  | {
      kind: 'put';
      account: AccountId;
      envelopes: readonly Envelope[];
      paid: Paid;
      admission: { readonly overtaken: boolean };
    }
  /** Tokens that pay for something elsewhere. */
  | { kind: 'spend'; tokens: readonly Spendable[]; context: Uint8Array }
  /** Forgets everything up to `seq`, acknowledged or expired. */
  | { kind: 'forget'; mailbox: Uint8Array; seq: number }
  /** Forgets everything and the mailbox itself: its device left, and ids of devices do not return. */
  | { kind: 'close'; mailbox: Uint8Array };

type Put = Extract<Write, { kind: 'put' }>;
type Spend = Extract<Write, { kind: 'spend' }>;
type Forget = Extract<Write, { kind: 'forget' }>;
/** A put that the directory overtook is decided about anew, not by this transaction. */
export type Placed = readonly Mail[] | 'overtaken';

interface Box {
  key: Buffer;
  head: number;
  floor: number;
  /** Requests that wait; counted only where one more comes. */
  requests: number;
}

/** What the puts of a group are judged by, and change. */
interface Present {
  boxes: Map<DeviceKey, Box>;
  known: Set<string>;
  keys: DeliveryKeys;
  ledger: Ledger;
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
  sealer: Sealer,
): Promise<Outcome<Placed>[]> {
  const { day } = sealer;
  const closed = writes.filter((write) => write.kind === 'close').map(({ mailbox }) => mailbox);
  const emptied = closed.map((mailbox): Forget => ({ kind: 'forget', mailbox, seq: everything }));
  await forget([...writes.filter((write) => write.kind === 'forget'), ...emptied], sql, day);
  for (const group of inGroups(closed, true)) {
    await sql.run(`DELETE FROM mailboxes WHERE mailbox IN (${marks('?', group)})`, group);
  }
  const all = writes.filter((write) => write.kind === 'put');
  const puts = all.filter(({ admission }) => !admission.overtaken);
  const spends = writes.filter((write) => write.kind === 'spend');
  const tokens = [...puts.flatMap(({ paid }) => paid.tokens), ...spends.flatMap((s) => s.tokens)];
  const keyed = puts.filter(({ paid }) => paid.key !== undefined);
  const present: Present = {
    boxes: await loadBoxes(puts, sql),
    known: await loadKnown(puts, sql),
    keys: await loadDeliveryKeys(
      keyed.map(({ account }) => account),
      sql,
      day,
    ),
    ledger: await loadSpent(tokens, sql),
  };
  const outcomes = new Map<Write, Outcome<Mail[]>>();
  for (const put of puts) outcomes.set(put, place(put, present));
  for (const one of spends) outcomes.set(one, spend(one, present.ledger));
  const mail = [...outcomes.values()].flatMap((outcome) =>
    'result' in outcome ? outcome.result : [],
  );
  await insert(mail, present.boxes, sql, sealer);
  await present.ledger.save(sql);
  return writes.map((write): Outcome<Placed> => {
    if (write.kind === 'forget' || write.kind === 'close') return { result: [] };
    return outcomes.get(write) ?? { result: 'overtaken' };
  });
}

/** Gives each new envelope its place. Nothing is changed, and nothing spent, when one of them has none. */
function place(put: Put, { boxes, known, keys, ledger }: Present): Outcome<Mail[]> {
  const { tokens, context, key, request } = put.paid;
  const mail: Mail[] = [];
  for (const { device, id, body } of put.envelopes) {
    const mailbox = deviceKey(put.account, device);
    if (known.has(id + mailbox)) continue;
    const box = boxes.get(mailbox) ?? emptyBox(mailboxOf(put.account, device));
    boxes.set(mailbox, box);
    if (box.head - box.floor >= limits.mailboxEnvelopes)
      return { fault: new Fault('mailbox_full') };
    if (request && box.requests >= limits.mailboxRequests)
      return { fault: new Fault('requests_full') };
    // A put has one envelope a device, so `head` moves once below.
    mail.push({ mailbox, seq: box.head + 1, id, request, body });
  }
  // All of it was accepted before: that was paid for then, and is answered as then.
  if (mail.length === 0) return { result: mail };
  if (key !== undefined && !keys.opens(put.account, key))
    return { fault: new Fault('delivery_key_refused') };
  if (ledger.isAnother(tokens, context)) return { fault: new Fault('token_spent') };
  ledger.spend(tokens, context);
  for (const { mailbox, seq, id } of mail) {
    known.add(id + mailbox);
    const box = boxes.get(mailbox);
    if (box === undefined) continue;
    box.head = seq;
    if (request) box.requests += 1;
  }
  return { result: mail };
}

function spend({ tokens, context }: Spend, ledger: Ledger): Outcome<Mail[]> {
  if (ledger.isAnother(tokens, context)) return { fault: new Fault('token_spent') };
  ledger.spend(tokens, context);
  return { result: [] };
}

const emptyBox = (key: Buffer): Box => ({ key, head: 0, floor: 0, requests: 0 });

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
      if (name !== undefined) boxes.set(name, { ...emptyBox(mailbox), head, floor });
    }
  }
  const asking = puts.filter(({ paid }) => paid.request);
  const asked = new Set(
    asking.flatMap(({ account, envelopes }) =>
      envelopes.map(({ device }) => deviceKey(account, device)),
    ),
  );
  await countRequests([...asked].map((name) => boxes.get(name)).filter(isBox), sql);
  return boxes;
}

const isBox = (box: Box | undefined): box is Box => box !== undefined;

async function countRequests(boxes: readonly Box[], sql: Statements): Promise<void> {
  const byKey = new Map(boxes.map((box) => [box.key.toString('hex'), box]));
  for (const group of inGroups(boxes, true)) {
    const rows = await sql.rows<{ mailbox: Buffer; requests: number }>(
      `SELECT mailbox, count(*) AS requests FROM envelopes
       WHERE mailbox IN (${marks('?', group)}) AND request = 1 GROUP BY mailbox`,
      group.map(({ key }) => key),
    );
    for (const { mailbox, requests } of rows) {
      const box = byKey.get(mailbox.toString('hex'));
      if (box !== undefined) box.requests = requests;
    }
  }
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
  put: Pick<Put, 'account' | 'envelopes'>,
  sql: Pick<Statements, 'rows'>,
): Promise<boolean> {
  const known = await loadKnown([put], sql);
  return put.envelopes.every(({ device, id }) => known.has(id + deviceKey(put.account, device)));
}

async function insert(
  mail: readonly Mail[],
  boxes: ReadonlyMap<DeviceKey, Box>,
  sql: Statements,
  { day, seal }: Sealer,
): Promise<void> {
  const touched = new Map<DeviceKey, Box>();
  const rows = mail.map(({ mailbox, seq, id, request, body }) => {
    const box = boxes.get(mailbox);
    if (box === undefined) throw new TypeError('mail for a mailbox that was not loaded');
    touched.set(mailbox, box);
    const row = { key: box.key, seq, id: Buffer.from(id, 'hex'), request: Number(request) };
    return { ...row, body: seal(row.key, seq, row.id, body) };
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
      `INSERT INTO envelopes (mailbox, seq, id, body, day, request) VALUES ${marks('(?,?,?,?,?,?)', group)}`,
      group.flatMap(({ key, seq, id, request, body }): SqlValue[] => [
        key,
        seq,
        id,
        body,
        day,
        request,
      ]),
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
