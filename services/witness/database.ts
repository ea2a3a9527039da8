/** The witness database as its queries see it: plain SQL. */
import type { Store } from '../kit/store.ts';
import type * as schema from './schema.ts';

export type WitnessStore = Store<typeof schema>;
