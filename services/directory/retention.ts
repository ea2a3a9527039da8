/** What the directory forgets, and when: D4 above all. Lists and names stay. docs/protocol/directory.md §4 */
import type { DirectoryStore } from './database.ts';
import { forgetPrekeys } from './prekeys.ts';

/** @param now Unix seconds */
export const forget = (store: DirectoryStore, now: number): Promise<void> =>
  store.write((db) => forgetPrekeys(db, now));
