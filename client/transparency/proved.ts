/**
 * What the log has proved to this home of each account: the newest version that was seen, and when it was first
 * used. Whoever is shown something else later was lied to then or is lied to now. docs/protocol/transparency.md §8
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Put, Storage } from '../storage/storage.ts';
import { testimony } from './convicting.ts';
import type { ProvedPerson } from './proving.ts';

const record = v.strictObject({
  version: s.count,
  eventHash: bytes64,
  /** Of the checkpoint that showed it. */
  size: s.count,
  /** Unix milliseconds when it was first used. */
  since: v.number(),
  /** How often it was looked at again since, of the looks that are due. */
  looks: s.count,
  /** What shows others that it was there. */
  shown: testimony,
});
export type Proved = v.InferOutput<typeof record>;

export const provedNamespace = 'proved';

export async function provedOf(storage: Storage, account: AccountId): Promise<Proved | undefined> {
  const row = await storage.read(provedNamespace, account);
  return row && decodeRecord(record, row);
}

export async function allProved(storage: Storage): Promise<(Proved & { account: AccountId })[]> {
  return (await storage.list(provedNamespace)).map((row) => ({
    ...decodeRecord(record, row),
    account: row.key as AccountId,
  }));
}

export const putProved = (account: AccountId, proved: Proved): Put => ({
  namespace: provedNamespace,
  key: account,
  bytes: encodeRecord(proved),
});

/** For the commit that takes over what was proved. `now`: Unix milliseconds. */
export const provedRow = ({ account, state, size, seen }: ProvedPerson, now: number): Put => {
  const { version, eventHash } = state;
  return putProved(account, { version, eventHash, size, since: now, looks: 0, shown: seen });
};
