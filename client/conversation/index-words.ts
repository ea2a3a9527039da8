/**
 * Which messages have which words: rows for the commits that index, change and erase messages.
 *
 *     words            word ‖ ' ' ‖ place (places.ts)        name of the conversation
 *     words-of         key of the message                    its words, each behind a space
 *
 * Invariant: whatever `words` says of a message, `words-of` says as well, so that nothing of an erased
 * message stays behind.
 */
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { Place, Put, Storage } from '../storage/storage.ts';
import { keyOfPlace } from './places.ts';
import { wordsOf } from './words.ts';

const namespace = 'words';
const byMessage = 'words-of';
const text = new TextDecoder();

export interface WordRows {
  put: Put[];
  remove: Place[];
}

export function newWords(name: string, at: string, said: string): WordRows {
  const words = wordsOf(said);
  if (words.length === 0) return { put: [], remove: [] };
  const bytes = utf8Bytes(name);
  const put = words.map((word) => ({ namespace, key: `${word} ${at}`, bytes }));
  const all = { namespace: byMessage, key: keyOfPlace(at), bytes: utf8Bytes(words.join(' ')) };
  return { put: [...put, all], remove: [] };
}

/** What is to go when a message is changed or erased. */
export async function oldWords(storage: Storage, at: string): Promise<Place[]> {
  const key = keyOfPlace(at);
  const row = await storage.read(byMessage, key);
  if (!row) return [];
  const words = text.decode(row.bytes).split(' ');
  const places = words.map((word) => ({ namespace, key: `${word} ${at}` }));
  return [...places, { namespace: byMessage, key }];
}

const page = 2000;

/** Places of messages with a word that begins so, with the names of their conversations. */
export async function withWord(storage: Storage, beginning: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let after = beginning; ; ) {
    const rows = await storage.list(namespace, { after, limit: page });
    for (const { key, bytes } of rows) {
      if (!key.startsWith(beginning)) return found;
      found.set(key.slice(key.indexOf(' ') + 1), text.decode(bytes));
      after = key;
    }
    if (rows.length < page) return found;
  }
}
