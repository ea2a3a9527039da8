/** The control database as its queries see it. */
import type { Store } from '../kit/store.ts';
import type * as schema from './schema.ts';

export type ControlStore = Store<typeof schema>;
export type Database = ControlStore['read'];
