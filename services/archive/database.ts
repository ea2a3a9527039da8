/** The archive database as its queries see it: plain SQL on the hot path. */
import type { Store } from '../kit/store.ts';
import type * as schema from './schema.ts';

export type ArchiveStore = Store<typeof schema>;
