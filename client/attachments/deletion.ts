/** Deletes what was uploaded: for everybody who has its descriptor. docs/protocol/attachments.md §5 */
import type { AttachmentDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { insist } from '../insist.ts';
import type { Transport } from '../transport/transport.ts';
import { deleteBlob } from './blobs.ts';

/** Resolves when it is gone, also when it was before. */
export async function deleteAttachment(given: {
  transport: Transport;
  descriptor: Pick<AttachmentDescriptor, 'blob' | 'deleteKey'>;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  const { transport, descriptor, signal } = given;
  const { blob, deleteKey } = descriptor;
  try {
    await insist(() => deleteBlob(transport, blob, deleteKey, signal), { signal });
  } catch (error) {
    if (!(error instanceof Fault && error.code === 'blob_gone')) throw error;
  }
}
