/**
 * The key by which contacts are let into an account's mailboxes at the price of a contact.
 * docs/protocol/tokens.md §8
 *
 *     key = HKDF( salt = account 16 ‖ u32 epoch, ARK, "PI/1/delivery-key", 16 )
 *
 * Every device of the account comes to the same key by itself; one that was removed does not know the
 * archive key of after it, and so none of the later ones.
 */
import { utf8Bytes, Writer } from '../wire/bytes.ts';
import type { AccountId } from '../wire/ids.ts';
import { fromHex } from '../wire/text.ts';
import { hkdf } from './primitives.ts';

const label = utf8Bytes('PI/1/delivery-key');

/** @param ark the present archive key, 32 bytes */
export const deliveryKey = (ark: Uint8Array, account: AccountId, epoch: number): Uint8Array =>
  hkdf(new Writer(20).raw(fromHex(account)).u32(epoch).done(), ark, label, 16);
