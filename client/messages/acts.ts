/**
 * What is done in a conversation besides saying something: edits, deletions, reactions, timers, delivery
 * keys, and what a person decided about another. docs/protocol/dm.md §2
 *
 * Acts are kept as they came, in the order in which they came; what they amount to is computed from all of
 * them (conversation/), so that all devices of both sides arrive at the same, whatever came first.
 */
import type { Body, BodyKind } from '@island/protocol/crypto/body.ts';
import { decodeBody, encodeBody } from '@island/protocol/crypto/body.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { type Identity, pendingMessage } from '../archive/rows.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Append, Place, Put, Row, Storage } from '../storage/storage.ts';

/** Kinds that are kept, and archived. */
const kinds = [
  'edit',
  'delete',
  'reaction',
  'timer',
  'delivery-key',
  'contact',
] as const satisfies BodyKind[];
export type ActBody = Extract<Body, { kind: (typeof kinds)[number] }>;

export const isAct = (body: Body): body is ActBody =>
  (kinds as readonly BodyKind[]).includes(body.kind);

const record = v.strictObject({
  /** 32 hex digits: the id of the message that it came in. */
  id: v.string(),
  direction: v.picklist(['in', 'out']),
  /** The other side of the conversation, and what they were called then. */
  peer: s.account,
  name: v.string(),
  sentAt: v.number(),
  /** Unix milliseconds by the clock of the device that it came to. */
  receivedAt: v.number(),
  body: bytes64,
  /** Why it never went, one sentence. */
  failed: v.optional(v.string()),
});

export interface Act {
  id: string;
  direction: 'in' | 'out';
  peer: AccountId;
  name: string;
  sentAt: number;
  receivedAt: number;
  body: ActBody;
  failed?: string | undefined;
}
export type KeptAct = Act & { key: string };

const namespace = 'acts';

const encode = ({ body, ...rest }: Act): Uint8Array =>
  encodeRecord({ ...rest, body: encodeBody(body) });

function kept(row: Row): KeptAct {
  const { body, ...rest } = decodeRecord(record, row);
  return { ...rest, body: decodeBody(body) as ActBody, key: row.key };
}

export const identityOfAct = ({ direction, peer, id }: Act): Identity => ({ direction, peer, id });

/** `archive`: it is not in the archive yet. `outbox`: it is still to be sent. */
export const actRow = (
  act: Act,
  beside: { archive?: boolean; outbox?: { namespace: string; bytes: Uint8Array } },
): Append => ({
  namespace,
  bytes: encode(act),
  beside: [
    ...(beside.archive ? [pendingMessage(identityOfAct(act))] : []),
    ...(beside.outbox ? [beside.outbox] : []),
  ],
});

export const actAgain = ({ key, ...act }: KeptAct): Put => ({ namespace, key, bytes: encode(act) });

export const actPlace = (key: string): Place => ({ namespace, key });

export async function readAct(storage: Storage, key: string): Promise<KeptAct | undefined> {
  const row = await storage.read(namespace, key);
  return row && kept(row);
}

/** Ascending; after the given place. */
export async function actsAfter(storage: Storage, after = '', limit = 500): Promise<KeptAct[]> {
  return (await storage.list(namespace, { after, limit })).map(kept);
}

/** The place of the newest act; '' when there is none. */
export async function newestAct(storage: Storage): Promise<string> {
  const [row] = await storage.list(namespace, { reverse: true, limit: 1 });
  return row?.key ?? '';
}
