/**
 * What other devices changed in the account of this home: kept until the person was told. Somebody who got
 * hold of an account shows in nothing else.
 */
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Append, Storage } from '../storage/storage.ts';

const change = v.variant('type', [
  /** Days since 1970-01-01 UTC. */
  v.strictObject({ type: v.literal('added'), device: s.device, day: s.count }),
  v.strictObject({ type: v.literal('removed'), device: s.device, day: s.count }),
  /** New archive keys that none of the other changes is the reason for. */
  v.strictObject({ type: v.literal('rotated'), times: s.count }),
  /** New backup codes in place of those before; so many are good. */
  v.strictObject({ type: v.literal('codes'), left: s.count }),
  /** A backup code was used; so many are left. */
  v.strictObject({ type: v.literal('code-used'), left: s.count }),
]);
export type OwnChange = v.InferOutput<typeof change>;

const namespace = 'own-changes';

/** For the commit that adopts them. */
export const noteChanges = (changes: readonly OwnChange[]): Append[] =>
  changes.map((each) => ({ namespace, bytes: encodeRecord(each) }));

/** Everything that the person was not told yet, in order. */
export async function untoldChanges(
  storage: Storage,
): Promise<{ key: string; change: OwnChange }[]> {
  const rows = await storage.list(namespace);
  return rows.map((row) => ({ key: row.key, change: decodeRecord(change, row) }));
}

export const changesTold = (storage: Storage, keys: readonly string[]) =>
  storage.commit({ remove: keys.map((key) => ({ namespace, key })) });
