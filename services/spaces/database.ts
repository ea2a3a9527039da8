/** The database of spaces as its queries see it: plain SQL. */
import type { Store } from '../kit/store.ts';
import type * as schema from './schema.ts';

export type SpacesStore = Store<typeof schema>;

/** Ids as they are stored. */
export const idBytes = (id: string): Buffer => Buffer.from(id, 'hex');
