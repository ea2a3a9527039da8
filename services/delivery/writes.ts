/**
 * A group of puts, payments and acknowledgements in one transaction, with one statement for many rows.
 * docs/protocol/dm.md §7
 *
 * Within a group the acknowledgements go first: they speak of envelopes committed before, and make
 * room. Each put is stored whole or not at all; its fault is its own and leaves the others alone.
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, type DeviceKey, deviceKey } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Outcome } from '../kit/group-commit.ts';
import type { Statements } from '../kit/store-handle.ts';
import { loadKnown } from './accepted.ts';
import type { Sealer } from './bodies.ts';
import { type Box, emptyBox, loadBoxes, mailboxOf } from './boxes.ts';
import { type DeliveryKeys, loadDeliveryKeys } from './delivery-keys.ts';
import { type Envelope, type Floor, forget, insert, type Mail } from './envelopes.ts';
import type { Paid } from './payment.ts';
import { inGroups, marks } from './row-groups.ts';
import { type Ledger, loadSpent, type Spendable } from './tokens/spent.ts';

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
/** A put that the directory overtook is decided about anew, not by this transaction. */
export type Placed = readonly Mail[] | 'overtaken';

/** What the puts of a group are judged by, and change. */
interface Present {
  boxes: Map<DeviceKey, Box>;
  known: Set<string>;
  keys: DeliveryKeys;
  ledger: Ledger;
}

/** Above every `seq`. */
const everything = Number.MAX_SAFE_INTEGER;

/** @param day days since 1970-01-01 UTC; @returns for each put the mail that is new */
export async function apply(
  writes: readonly Write[],
  sql: Statements,
  sealer: Sealer,
): Promise<Outcome<Placed>[]> {
  const { day } = sealer;
  const closed = writes.filter((write) => write.kind === 'close').map(({ mailbox }) => mailbox);
  const emptied = closed.map((mailbox): Floor => ({ mailbox, seq: everything }));
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
