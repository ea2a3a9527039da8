/**
 * What the island has not taken yet: rows beside their place among messages or acts, or alone for what is
 * kept nowhere. A row first says only to whom; `sealing.ts` adds the sealed envelopes in the commit of the
 * ratchet step, `payment/` what they are paid with, each before anything leaves.
 */

import {
  decodePlaintext,
  encodePlaintext,
  type Plaintext,
} from '@island/protocol/crypto/plaintext.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { Reader, Writer } from '@island/protocol/wire/bytes.ts';
import type { AccountId, DeviceId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import type { OutgoingEnvelope, Send } from '@island/protocol/wire/send.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import { readToken, type Token, tokenBytes, writeToken } from '@island/protocol/wire/token.ts';
import * as v from 'valibot';
import { readAct } from '../messages/acts.ts';
import { bodyOf, departure, type Outgoing, readMessage } from '../messages/messages.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Append, Batch, Row, Storage } from '../storage/storage.ts';

const repair = v.strictObject({
  /** The device that it is for. */
  only: s.device,
  /** It begins a session in place of this one, unless the present one is that which `works`. */
  begins: v.optional(v.strictObject({ replaces: bytes64, works: v.optional(bytes64) })),
  /** A message or act that is sent once more, for the so-manieth time; or what a sync says of it. */
  again: v.optional(
    v.strictObject({
      place: v.string(),
      times: v.number(),
      sync: v.optional(v.literal(true)),
    }),
  ),
});

const keys = v.strictObject({
  space: s.space,
  channel: s.channel,
  /** The chain, in hex, that waits for nothing but its keys. */
  chain: v.optional(v.string()),
  /** The account that the name must lead to. */
  account: s.account,
  /** Something other than the way there keeps it: what is posted does not wait for it. */
  late: v.optional(v.literal(true)),
});

const record = v.strictObject({
  /** A person's name; our own for what goes to our other devices. */
  to: v.string(),
  /** Of what lies beside no message and no act. */
  plaintext: v.optional(bytes64),
  /** For one device, in the repair of a session; the others get covers. docs/protocol/ratchet.md §9.7 */
  repair: v.optional(repair),
  /** The place of what it tells our own devices of: read when it is sealed, so that nothing erased waits here. */
  about: v.optional(v.string()),
  /** About keys of a channel: it goes by the space that both are in, and costs no token. docs/protocol/channel.md §8 */
  keys: v.optional(keys),
  /** Unix milliseconds before which it does not go. */
  notBefore: v.optional(v.number()),
  sealed: v.optional(
    v.strictObject({
      account: s.account,
      epoch: v.number(),
      envelopes: v.array(
        v.strictObject({
          device: s.device,
          id: s.envelope,
          body: bytes64,
          hash: v.optional(bytes64),
        }),
      ),
    }),
  ),
  paid: v.optional(v.strictObject({ tokens: bytes64, key: v.optional(bytes64) })),
});
type OutboxRecord = v.InferOutput<typeof record>;

export interface SealedEnvelope extends OutgoingEnvelope {
  /** SHA-256 of the session message in it; none for a cover. */
  hash?: Uint8Array | undefined;
}

/** What is sent, but for what it is paid with. */
export interface Order extends Omit<Send, 'tokens' | 'key' | 'envelopes'> {
  envelopes: readonly SealedEnvelope[];
}

export type Paid = Pick<Send, 'tokens' | 'key'>;

export type RepairPart = v.InferOutput<typeof repair>;
export type KeysPart = v.InferOutput<typeof keys>;

export interface Waiting {
  /** The place of its message or act. */
  key: string;
  to: string;
  plaintext: Uint8Array | undefined;
  repair: RepairPart | undefined;
  about: string | undefined;
  keys: KeysPart | undefined;
  notBefore: number | undefined;
  sealed: Order | undefined;
  paid: Paid | undefined;
  version: number;
}

export const outbox = 'outbox';

/** A row beside a message or an act. */
export const outboxBeside = (to: string, notBefore?: number) => ({
  namespace: outbox,
  bytes: encodeRecord({ to, notBefore }),
});

/** A row for what is kept nowhere else. */
export const passing = (to: string, plaintext: Plaintext, notBefore?: number): Append => ({
  namespace: outbox,
  bytes: encodeRecord({ to, plaintext: encodePlaintext(plaintext), notBefore }),
});

/** A row about keys of a channel. */
export const keysRow = (to: string, part: KeysPart, plaintext: Plaintext): Append => ({
  namespace: outbox,
  bytes: encodeRecord({ to, plaintext: encodePlaintext(plaintext), keys: part }),
});

/** A row that tells our own devices of what was said or done at a place. */
export const syncRow = (own: string, about: string, notBefore: number): Append => ({
  namespace: outbox,
  bytes: encodeRecord({ to: own, about, notBefore }),
});

/** A row for one device, in the repair of a session. */
export const repairRow = (
  to: string,
  part: Omit<RepairPart, 'only'> & { only: DeviceId },
  plaintext?: Uint8Array,
  notBefore?: number,
): Append => ({
  namespace: outbox,
  bytes: encodeRecord({ to, plaintext, repair: part, notBefore }),
});

/** Whether a message or an act beside the row says what becomes of it. */
export const isKept = ({ plaintext, repair: part, about }: Waiting): boolean =>
  plaintext === undefined && part === undefined && about === undefined;

/** Queues messages in their order; resolves with their places once they are on the disk. */
export async function enqueue(
  storage: Storage,
  messages: readonly Outgoing[],
  batch: Batch = {},
): Promise<string[]> {
  const append = messages.map((message) => departure(message, outboxBeside(message.to)));
  return (await storage.commit({ ...batch, append: [...append, ...(batch.append ?? [])] })).keys;
}

function read(row: Row): Waiting {
  const { paid, ...rest } = decodeRecord(record, row);
  const { to, plaintext, repair: part, about, keys: held, notBefore, sealed } = rest;
  const { key, version } = row;
  const said = { to, plaintext, repair: part, about, keys: held, notBefore };
  return { key, ...said, sealed, paid: paid && readPaid(paid), version };
}

function readPaid({ tokens, key }: NonNullable<OutboxRecord['paid']>): Paid {
  const from = new Reader(tokens);
  const each = Array.from({ length: tokens.length / tokenBytes }, (): Token => readToken(from));
  return { tokens: each, key };
}

function write({ key, version: _, sealed, paid, ...said }: Waiting) {
  const tokens = new Writer();
  for (const token of paid?.tokens ?? []) writeToken(tokens, token);
  const value = {
    ...said,
    sealed,
    paid: paid && { tokens: tokens.done(), key: paid.key },
  };
  return { namespace: outbox, key, bytes: encodeRecord(value) };
}

/** In the order in which they were queued; with `after`, only what was queued behind that place. */
export async function waiting(storage: Storage, after?: string): Promise<Waiting[]> {
  return (await storage.list(outbox, after === undefined ? {} : { after })).map(read);
}

export async function readWaiting(storage: Storage, key: string): Promise<Waiting | undefined> {
  const row = await storage.read(outbox, key);
  return row && read(row);
}

/** Whether the message at this place still waits. */
export const waits = async (storage: Storage, key: string): Promise<boolean> =>
  (await storage.read(outbox, key)) !== undefined;

/** For a commit that changes the row, unless somebody else dealt with it first. */
export const changedRow = (
  row: Waiting,
  change: Partial<Pick<Waiting, 'sealed' | 'paid' | 'keys'>>,
) => ({
  put: [write({ ...row, ...change })],
  expect: [{ namespace: outbox, key: row.key, version: row.version }],
});

/** What the row sends; undefined when it is gone. */
export async function plaintextOf(storage: Storage, row: Waiting): Promise<Plaintext | undefined> {
  const again = row.repair?.again;
  const place = again?.place ?? row.about;
  if (row.plaintext && place === undefined) return decodePlaintext(row.plaintext);
  const found = await keptAt(storage, place ?? row.key);
  const sync = again ? again.sync : row.about !== undefined;
  if (!found || !sync) return found?.plaintext;
  const { peer, peerName, plaintext } = found;
  if (peer === undefined) return undefined;
  const body = { kind: 'sync', peer, peerName, plaintext: encodePlaintext(plaintext) } as const;
  return { id: randomBytes(16), sentAt: plaintext.sentAt, body };
}

/** What was said or done by us at this place; undefined when it is gone. */
async function keptAt(
  storage: Storage,
  key: string,
): Promise<{ plaintext: Plaintext; peer: AccountId | undefined; peerName: string } | undefined> {
  const message = await readMessage(storage, key);
  if (message?.type === 'sent') {
    if (message.deleted) return undefined;
    const plaintext = { id: fromHex(message.id), sentAt: message.sentAt, body: bodyOf(message) };
    return { plaintext, peer: message.peer, peerName: message.to };
  }
  const act = await readAct(storage, key);
  if (!act) return undefined;
  const plaintext = { id: fromHex(act.id), sentAt: act.sentAt, body: act.body };
  return { plaintext, peer: act.peer, peerName: act.name };
}
