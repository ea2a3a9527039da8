/** What a person lets others know. docs/protocol/dm.md §12. Each holds both ways: who does not tell is not told. */
import * as v from 'valibot';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';

const record = v.strictObject({
  /** Whether contacts hear that a message came, and that it was read. */
  delivered: v.boolean(),
  read: v.boolean(),
  /** Whether contacts see that something is being written. */
  typing: v.boolean(),
});
export type ConversationSettings = v.InferOutput<typeof record>;

const place = { namespace: 'settings', key: 'conversations' };
const initially: ConversationSettings = { delivered: true, read: true, typing: false };

export async function readSettings(storage: Storage): Promise<ConversationSettings> {
  const row = await storage.read(place.namespace, place.key);
  return row ? decodeRecord(record, row) : initially;
}

export const changeSettings = (
  storage: Storage,
  change: Partial<ConversationSettings>,
): Promise<ConversationSettings> =>
  untilCommitted(async () => {
    const row = await storage.read(place.namespace, place.key);
    const next = { ...(row ? decodeRecord(record, row) : initially), ...change };
    await storage.commit({
      put: [{ ...place, bytes: encodeRecord(next) }],
      expect: [{ ...place, version: row?.version ?? 0 }],
    });
    return next;
  });
