/**
 * What this account has decided about others, and the delivery keys that they gave us.
 * docs/protocol/dm.md §14, tokens.md §6
 *
 * Whoever we wrote to is accepted; whoever only wrote to us has made a request until we answer or accept.
 * The latest decision holds. Its time is never below that of the one before it that its device knew of: a
 * clock that ran ahead once does not make a block fail for as long.
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import type { ActBody } from '../messages/acts.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Place, Put, Storage } from '../storage/storage.ts';

const record = v.strictObject({
  state: v.optional(v.picklist(['accepted', 'blocked', 'unblocked'])),
  /** Unix milliseconds of that decision. */
  decided: v.optional(v.number()),
  /** Pays less: the newest that they gave us. */
  key: v.optional(v.strictObject({ epoch: s.count, key: bytes64 })),
  /** The epoch of our own key that they were told last. */
  told: v.optional(s.count),
});
export type Contact = v.InferOutput<typeof record>;

const namespace = 'contacts';

export async function readContact(storage: Storage, account: AccountId): Promise<Contact> {
  const row = await storage.read(namespace, account);
  return row ? decodeRecord(record, row) : {};
}

export async function contacts(storage: Storage): Promise<(Contact & { account: AccountId })[]> {
  return (await storage.list(namespace)).map((row) => ({
    ...decodeRecord(record, row),
    account: row.key as AccountId,
  }));
}

export const isBlocked = ({ state }: Contact): boolean => state === 'blocked';

/** Changes of several contacts for one commit. */
export interface ContactChanges {
  change(account: AccountId, change: (contact: Contact) => Contact): Promise<Contact>;
  rows(): { put: Put[]; expect: (Place & { version: number })[] };
}

export function contactChanges(storage: Storage): ContactChanges {
  const held = new Map<AccountId, { before: number; contact: Contact; changed: boolean }>();
  return {
    async change(account, change) {
      let here = held.get(account);
      if (!here) {
        const row = await storage.read(namespace, account);
        const contact = row ? decodeRecord(record, row) : {};
        here = { before: row?.version ?? 0, contact, changed: false };
        held.set(account, here);
      }
      const next = change(here.contact);
      if (next !== here.contact) Object.assign(here, { contact: next, changed: true });
      return next;
    },
    rows() {
      const changed = [...held].filter(([, { changed }]) => changed);
      return {
        put: changed.map(([key, { contact }]) => ({
          namespace,
          key,
          bytes: encodeRecord(contact),
        })),
        expect: changed.map(([key, { before }]) => ({ namespace, key, version: before })),
      };
    },
  };
}

/** Whoever we let in, or wrote to. */
export const isAccepted = ({ state }: Contact): boolean => state === 'accepted';

/** Writing to somebody accepts them, unless something was decided: what a person decides counts for more. */
export const wroteTo = (contact: Contact): Contact =>
  contact.state === undefined ? { ...contact, state: 'accepted' } : contact;

/** Times beyond it are all the same: there is always a later one that can be said. */
const farthest = 2 ** 52;

/** The time of a decision that is made now: it holds against the one before it. */
export const decidedAfter = ({ decided = 0 }: Contact, now: number): number =>
  Math.max(now, decided + 1);

/** What an act says about the contact that it is with. */
export const actedOn =
  (act: { direction: 'in' | 'out'; sentAt: number; body: ActBody }) =>
  (contact: Contact): Contact => {
    const { direction, sentAt, body } = act;
    if (body.kind === 'delivery-key' && direction === 'in') {
      const newer = body.epoch > (contact.key?.epoch ?? 0);
      return newer ? { ...contact, key: { epoch: body.epoch, key: body.key } } : contact;
    }
    if (body.kind === 'delivery-key') {
      return body.epoch > (contact.told ?? 0) ? { ...contact, told: body.epoch } : contact;
    }
    const decided = Math.min(sentAt, farthest);
    if (body.kind === 'contact' && direction === 'out' && decided >= (contact.decided ?? 0))
      return { ...contact, state: body.state, decided };
    return contact;
  };
