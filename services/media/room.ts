/** Whether the disk can keep what an upload wants to bring, besides what others were promised. */
import { statfs } from 'node:fs/promises';
import { Fault } from '@island/protocol/wire/fault.ts';

/** Bytes that attachments leave free: the databases of the other services need room, too. */
const spare = 268_435_456;

/**
 * Throws `storage_full` unless `bytes` more fit on the disk of `folder`.
 * @param promised bytes that uploads under way are still to bring
 */
export async function needRoom(
  folder: string,
  bytes: number,
  promised: number,
  left: number = spare,
): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < bytes + promised + left) throw new Fault('storage_full');
}
