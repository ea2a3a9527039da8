/**
 * What ages: blobs after `limits.blobDays`, uploads that were not finished after `limits.uploadDays`.
 * And what a crash leaves: files that no row has, rows whose file is not there. docs/protocol/limits.md §4
 */
import { hex } from '@island/protocol/wire/text.ts';
import type { Blobs } from './blobs.ts';
import type { Files } from './files.ts';
import type { AtBlob } from './turns.ts';

export interface Aging {
  blobs: Blobs;
  files: Files;
  at: AtBlob;
}

/** @returns how many blobs went */
export async function expire({ blobs, files, at }: Aging, today: number): Promise<number> {
  const due = await blobs.due(today);
  for (const { id } of due) {
    await at(id, async () => {
      await blobs.remove(id);
      await files.remove(id);
    });
  }
  await blobs.forget(today);
  return due.length;
}

/** At start, before anybody is served. @returns how many files and how many blobs went */
export async function settle({
  blobs,
  files,
}: Omit<Aging, 'at'>): Promise<{ files: number; blobs: number }> {
  const there = await blobs.all();
  const known = new Set(there.map(({ id }) => hex(id)));
  let swept = 0;
  for (const name of await files.names()) {
    if (known.has(name)) continue;
    // Rows come before files: whatever has none is deleted already.
    await files.removeNamed(name);
    swept += 1;
  }
  let lost = 0;
  for (const { id, stored } of there) {
    if (await files.holds(id, stored)) continue;
    await blobs.remove(id);
    await files.remove(id);
    lost += 1;
  }
  return { files: swept, blobs: lost };
}
