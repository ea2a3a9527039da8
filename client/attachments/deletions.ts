/**
 * Attachments of ours whose message was taken back, and of others whose message has disappeared: deleted on the island too, once it can be reached.
 * docs/protocol/dm.md §11, attachments.md §5
 *
 *     blob-deletions   blob, hex   its delete key
 *
 * Invariant: what is owed is in the commit that erased the descriptor, which was the only place of the key.
 */
import { decodeDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { fromHex, hex } from '@island/protocol/wire/text.ts';
import { backoff, pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { willPass } from '../problem.ts';
import type { Put, Storage } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { deleteAttachment } from './deletion.ts';
import { forgetUploads } from './upload-row.ts';

const namespace = 'blob-deletions';

/** For the commit that erases these descriptors; one that does not read has no blob that is known. */
export function owedDeletions(descriptors: readonly Uint8Array[]): Put[] {
  const rows: Put[] = [];
  for (const bytes of descriptors) {
    try {
      const { blob, deleteKey } = decodeDescriptor(bytes);
      rows.push({ namespace, key: hex(blob), bytes: deleteKey });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
    }
  }
  return rows;
}

export interface Deleting {
  storage: Storage;
  transport: Transport;
}

/** In one process of a home at a time, until aborted. */
export async function keepDeletions(
  { storage, transport }: Deleting,
  signal: AbortSignal,
): Promise<void> {
  using _section = await storage.lock('blob deletions', signal);
  using changed = createBell(signal);
  using _watch = storage.watch(changed.ring);
  await forgetUploads(storage);
  for (let attempt = 0; !signal.aborted; ) {
    const [row] = await storage.list(namespace, { limit: 1 });
    if (!row) {
      await changed.next();
      continue;
    }
    try {
      const descriptor = { blob: fromHex(row.key), deleteKey: row.bytes };
      await deleteAttachment({ transport, descriptor, signal });
      attempt = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (willPass(error)) {
        await pause(backoff(attempt++), signal);
        continue;
      }
      // The island will never take it: it goes by itself on its day.
    }
    await storage.commit({ remove: [{ namespace, key: row.key }] });
  }
}
