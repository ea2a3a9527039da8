/** What somebody began to write: in this home only, never sent, never archived. */
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { Storage } from '../storage/storage.ts';

const namespace = 'drafts';
const text = new TextDecoder();

/** '' when there is none. */
export async function readDraft(storage: Storage, name: string): Promise<string> {
  const row = await storage.read(namespace, name);
  return row ? text.decode(row.bytes) : '';
}

/** An empty one is none. */
export async function keepDraft(storage: Storage, name: string, draft: string): Promise<void> {
  const place = { namespace, key: name };
  const bytes = utf8Bytes(draft.toWellFormed());
  await storage.commit(draft === '' ? { remove: [place] } : { put: [{ ...place, bytes }] });
}

export async function namesWithDrafts(storage: Storage): Promise<Set<string>> {
  return new Set((await storage.list(namespace)).map(({ key }) => key));
}
