/**
 * Tokens for an account, so many a day. Who got how many is kept under a keyed hash of the account,
 * for as long as its day lasts; what was issued is not kept, and would tell nothing. docs/protocol/tokens.md §6
 */
import { createHmac } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { type TokenClass, tokenClasses } from '@island/protocol/wire/token.ts';
import { type Clock, unixDay, unixSeconds } from '../../kit/clock.ts';
import type { DeliveryStore } from '../database.ts';
import type { TokenKeys } from './token-keys.ts';

export interface Issuing {
  store: DeliveryStore;
  keys: TokenKeys;
  clock: Clock;
  /** 32 bytes: keys the hash of accounts. */
  secret: Uint8Array;
}

export interface IssueRequest {
  account: AccountId;
  class: TokenClass;
  day: number;
  /** Blinded inputs, 32 bytes each. */
  blinded: Uint8Array;
}

const mostOf = {
  [tokenClasses.delivery]: limits.deliveryTokensPerDay,
  [tokenClasses.media]: limits.mediaTokensPerDay,
};

/** What stands for an account beside its count. */
export const holderOf = (secret: Uint8Array, account: AccountId): Buffer =>
  createHmac('sha256', secret).update(account).digest().subarray(0, 16);

/** Counted on the disk before anything is given. @throws token_invalid, tokens_exhausted { seconds }, malformed */
export async function issue(
  { store, keys, clock, secret }: Issuing,
  { account, class: kind, day, blinded }: IssueRequest,
): Promise<{ evaluated: Uint8Array; proof: Uint8Array }> {
  const count = blinded.length / 32;
  if (!Number.isInteger(count) || count < 1 || count > limits.tokensPerBatch)
    throw new Fault('malformed');
  keys.mustIssue(day);
  const holder = holderOf(secret, account);
  const counted = await store.write((_db, sql) =>
    sql.run(
      `INSERT INTO issued (day, class, holder, count) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET count = count + excluded.count WHERE count + excluded.count <= ?`,
      [day, kind, holder, count, mostOf[kind]],
    ),
  );
  if (counted === 0) {
    const seconds = (unixDay(clock) + 1) * 86_400 - unixSeconds(clock);
    throw new Fault('tokens_exhausted', { seconds });
  }
  return keys.evaluate(kind, day, blinded);
}
