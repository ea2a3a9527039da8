/** The directory database as its queries see it: inside a transaction or on the read handle. */
import type { Store } from '../kit/store.ts';
import type * as schema from './schema.ts';

export type DirectoryStore = Store<typeof schema>;
export type Database = DirectoryStore['read'];
