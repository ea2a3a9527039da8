/**
 * What the island has not taken yet: rows beside their place among messages or acts, or alone for what is
 * kept nowhere. A row first says only to whom; `sealing.ts` adds the sealed envelopes in the commit of the
 * ratchet step, `payment.ts` what they are paid with, each before anything leaves.
 */
import {
  decodePlaintext,
  encodePlaintext,
  type Plaintext,
} from '@island/protocol/crypto/plaintext.ts';
import { Reader, Writer } from '@island/protocol/wire/bytes.ts';
import * as s from '@island/protocol/wire/schema.ts';
import type { OutgoingEnvelope, Send } from '@island/protocol/wire/send.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import { readToken, type Token, tokenBytes, writeToken } from '@island/protocol/wire/token.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Append, Batch, Row, Storage } from '../storage/storage.ts';
import { readAct } from './acts.ts';
import { bodyOf, departure, type Outgoing, readMessage } from './messages.ts';

const record = v.strictObject({
  /** A person's name; our own for what goes to our other devices. */
  to: v.string(),
  /** Of what lies beside no message and no act. */
  plaintext: v.optional(bytes64),
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
  /** SHA-256 of the session message in it; none for what covers this device's own place. */
  hash?: Uint8Array | undefined;
}

/** What is sent, but for what it is paid with. */
export interface Order extends Omit<Send, 'tokens' | 'key' | 'envelopes'> {
  envelopes: readonly SealedEnvelope[];
}

export type Paid = Pick<Send, 'tokens' | 'key'>;

export interface Waiting {
  /** The place of its message or act. */
  key: string;
  to: string;
  plaintext: Uint8Array | undefined;
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
  const { to, plaintext, notBefore, sealed, paid } = decodeRecord(record, row);
  const { key, version } = row;
  return { key, to, plaintext, notBefore, sealed, paid: paid && readPaid(paid), version };
}

function readPaid({ tokens, key }: NonNullable<OutboxRecord['paid']>): Paid {
  const from = new Reader(tokens);
  const each = Array.from({ length: tokens.length / tokenBytes }, (): Token => readToken(from));
  return { tokens: each, key };
}

function write({ key, to, plaintext, notBefore, sealed, paid }: Waiting) {
  const tokens = new Writer();
  for (const token of paid?.tokens ?? []) writeToken(tokens, token);
  const value = {
    to,
    plaintext,
    notBefore,
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
export const changedRow = (row: Waiting, change: Partial<Pick<Waiting, 'sealed' | 'paid'>>) => ({
  put: [write({ ...row, ...change })],
  expect: [{ namespace: outbox, key: row.key, version: row.version }],
});

/** What the row sends; undefined when it is gone. */
export async function plaintextOf(storage: Storage, row: Waiting): Promise<Plaintext | undefined> {
  if (row.plaintext) return decodePlaintext(row.plaintext);
  const message = await readMessage(storage, row.key);
  if (message?.type === 'sent')
    return { id: fromHex(message.id), sentAt: message.sentAt, body: bodyOf(message) };
  const act = await readAct(storage, row.key);
  return act && { id: fromHex(act.id), sentAt: act.sentAt, body: act.body };
}
