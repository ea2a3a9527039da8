/**
 * Messages that the island has not taken yet: rows beside their place in the history (messages.ts).
 * A row first says only to whom; `dm.ts` adds the sealed envelopes in the commit of the ratchet step,
 * before anything leaves.
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import type { Send } from '@island/protocol/wire/send.ts';
import * as v from 'valibot';
import { identityRows, isKnown, pendingMessage } from '../archive/rows.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Batch, type Storage, untilCommitted } from '../storage/storage.ts';
import { departure, messageRow, type Outgoing, readMessage } from './messages.ts';

const record = v.strictObject({
  to: v.string(),
  sealed: v.optional(
    v.strictObject({
      account: s.account,
      epoch: v.number(),
      envelopes: v.array(v.strictObject({ device: s.device, id: s.envelope, body: bytes64 })),
    }),
  ),
});

/** What is sent, but for what it is paid with: tokens are taken when it goes. */
export type Order = Omit<Send, 'tokens' | 'key'>;

export interface Waiting {
  /** The place of its message in the history. */
  key: string;
  to: string;
  sealed: Order | undefined;
  version: number;
}

const namespace = 'outbox';

/** Queues messages in their order; resolves with their places once they are on the disk. */
export async function enqueue(storage: Storage, messages: readonly Outgoing[]): Promise<string[]> {
  const rows = messages.map((message) => {
    return departure(message, { namespace, bytes: encodeRecord({ to: message.to }) });
  });
  return (await storage.commit({ append: rows })).keys;
}

/** In the order in which they were queued; with `after`, only what was queued behind that place. */
export async function waiting(storage: Storage, after?: string): Promise<Waiting[]> {
  const rows = await storage.list(namespace, after === undefined ? {} : { after });
  return rows.map((row) => {
    const { to, sealed } = decodeRecord(record, row);
    return { key: row.key, to, sealed, version: row.version };
  });
}

/** Whether the message at this place still waits. */
export const waits = async (storage: Storage, key: string): Promise<boolean> =>
  (await storage.read(namespace, key)) !== undefined;

/** What a ratchet step commits: the envelopes, unless somebody else dealt with the row first. */
export function sealedBatch({ key, to, version }: Waiting, sealed: Order): Batch {
  return {
    put: [
      {
        namespace,
        key,
        bytes: encodeRecord({ to, sealed: { ...sealed, envelopes: [...sealed.envelopes] } }),
      },
    ],
    expect: [{ namespace, key, version }],
  };
}

export type Outcome =
  /** Taken by the island for this account: the message belongs into the archive. */
  { state: 'accepted'; peer: AccountId } | { state: 'failed'; reason: string };

/** The island took it, or it can't be sent and `reason` says why: it waits no longer. */
export const close = (storage: Storage, key: string, outcome: Outcome): Promise<void> =>
  untilCommitted(async () => {
    const message = await readMessage(storage, key);
    if (message?.type !== 'sent') return;
    const remove = [{ namespace, key }];
    if (outcome.state === 'failed') {
      await storage.commit({ put: [messageRow({ ...message, ...outcome })], remove });
      return;
    }
    const { state, peer } = outcome;
    const identity = { direction: 'out', peer, id: message.id } as const;
    const put = [messageRow({ ...message, state })];
    // A home that was put back from a copy may send once more what it has archived since.
    if (await isKnown(storage, identity)) {
      await storage.commit({ put, remove });
      return;
    }
    const known = identityRows(identity);
    const archived = { ...pendingMessage(identity), key };
    await storage.commit({ put: [...put, known.put, archived], remove, expect: [known.expect] });
  });
