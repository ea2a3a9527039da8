/**
 * What a send pays, found right before anybody is asked who the recipient is. docs/protocol/tokens.md §7
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { sendPrice } from '@island/protocol/wire/send.ts';
import { type Token, tokenClasses } from '@island/protocol/wire/token.ts';
import { hashOfKey } from './delivery-keys.ts';
import type { Redemption } from './tokens/redeem.ts';
import type { Spendable } from './tokens/spent.ts';

/** A payment as the transaction takes it. */
export interface Paid {
  tokens: readonly Spendable[];
  /** SHA-256 of what is paid for, cut to 16 bytes: the tokens are good for it again, and for nothing else. */
  context: Uint8Array;
  /** Hash of the delivery key that came along. */
  key: Uint8Array | undefined;
  /** Whether none came: the recipient does not know the sender. */
  request: boolean;
}

export interface Offer {
  tokens: readonly Token[];
  key: Uint8Array | undefined;
  context: Uint8Array;
  /** Envelopes that are to be paid for. */
  envelopes: number;
}

export const unpaid: Paid = {
  tokens: [],
  context: new Uint8Array(16),
  key: undefined,
  request: false,
};

/**
 * @returns nothing when the very same was paid for, and stored, before
 * @throws token_needed { needed }, token_invalid, token_spent
 */
export async function takePayment(
  redemption: Redemption,
  { tokens, key, context, envelopes }: Offer,
): Promise<Paid | undefined> {
  const hash = key === undefined ? undefined : hashOfKey(key);
  const needed = sendPrice(envelopes, key !== undefined);
  if (tokens.length < needed) throw new Fault('token_needed', { needed });
  const spendable = await redemption.check(tokens, tokenClasses.delivery, context);
  if (spendable === undefined) return undefined;
  return { tokens: spendable, context, key: hash, request: key === undefined };
}
