/** The media database as its queries see it: plain SQL. */
import type { Store } from '../kit/store.ts';
import type * as schema from './schema.ts';

export type MediaStore = Store<typeof schema>;
