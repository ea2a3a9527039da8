/**
 * Paying for what is sent: tokens, and the recipient's delivery key if they gave us one. docs/protocol/tokens.md §7
 *
 * What an order is paid with is committed beside it before it leaves: the same order sent again after a
 * lost answer brings the same tokens, which the island takes for that order only once.
 */
import { decodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { sendPrice } from '@island/protocol/wire/send.ts';
import { tokenClasses } from '@island/protocol/wire/token.ts';
import { contactChanges, readContact } from '../people/contacts.ts';
import { changedRow, type Order, type Paid, readWaiting, type Waiting } from '../sending/outbox.ts';
import { Conflict, type Storage, untilCommitted } from '../storage/storage.ts';
import type { DeliveryKeys } from './delivery-keys.ts';
import type { Wallet } from './wallet.ts';

export interface Paying {
  storage: Storage;
  wallet: Wallet;
  deliveryKeys: DeliveryKeys;
}

/** What the order in this row is paid with, from now on. Throws `Conflict` when the row is gone or sealed anew. */
export const pay = (
  { storage, wallet, deliveryKeys }: Paying,
  place: string,
  order: Order,
  signal: AbortSignal,
): Promise<Paid> =>
  untilCommitted(async () => {
    const row = await readWaiting(storage, place);
    if (!row?.sealed) return undefined;
    const count = order.envelopes.length;
    const before = row.paid;
    if (before && before.tokens.length === sendPrice(count, before.key !== undefined))
      return before;
    const own = await deliveryKeys.ofOurs(order.account);
    const key = own ?? (await readContact(storage, order.account)).key?.key;
    const price = sendPrice(count, key !== undefined);
    // What was shown and not refused is still good for this order, and shown for no other.
    const held = before?.tokens.slice(0, price) ?? [];
    const taken = await wallet.take(
      tokenClasses.delivery,
      price - held.length,
      (more) => changedRow(row, { paid: { tokens: [...held, ...more], key } }),
      signal,
      isCaused(row) ? 'caused' : 'said',
    );
    return { tokens: [...held, ...taken], key };
  }).then((paid) => {
    if (!paid) throw new Conflict();
    return paid;
  });

/** Others made this device send it: receipts, repairs. docs/protocol/tokens.md §4 */
function isCaused({ repair, plaintext }: Waiting): boolean {
  if (repair) return true;
  if (!plaintext) return false;
  const { kind } = decodePlaintext(plaintext).body;
  return kind === 'receipt' || kind === 'typing' || kind === 'marks';
}

const refusals = new Set(['token_needed', 'token_invalid', 'token_spent', 'delivery_key_refused']);

export const isPaymentRefused = (error: unknown): error is Fault =>
  error instanceof Fault && refusals.has(error.code);

/** The tokens that were shown are gone: an island that always says so gets few of them. */
export const isTokenRefused = (error: unknown): boolean =>
  error instanceof Fault && (error.code === 'token_invalid' || error.code === 'token_spent');

/**
 * After a refusal: what was refused is not shown again. False when nothing else can be shown: an island that
 * wants more than the price, or refuses a key that was not there, is waited for.
 */
export const payAnew = (
  { storage, deliveryKeys }: Pick<Paying, 'storage' | 'deliveryKeys'>,
  place: string,
  account: AccountId,
  refusal: Fault,
): Promise<boolean> =>
  untilCommitted(async () => {
    const row = await readWaiting(storage, place);
    if (!row?.paid) return true;
    const { tokens, key: shown } = row.paid;
    const refused = refusal.code === 'delivery_key_refused' ? shown : undefined;
    if (!refused && !isTokenRefused(refusal)) return false;
    const changes = contactChanges(storage);
    if (refused) {
      await deliveryKeys.refused(account, refused);
      await changes.change(account, (contact) => {
        const { key, ...rest } = contact;
        return key && equal(key.key, refused) ? rest : contact;
      });
    }
    const { put, expect } = changes.rows();
    const changed = changedRow(row, { paid: refused && { tokens, key: undefined } });
    await storage.commit({
      put: [...changed.put, ...put],
      expect: [...changed.expect, ...expect],
    });
    return true;
  });
