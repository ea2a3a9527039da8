/**
 * Whether tokens are ours and unspent, in the order of what it costs to find out: class and day, the
 * spent ones, then the PRF. What spends them for good is the transaction of what they pay for
 * (spent.ts). docs/protocol/tokens.md §7
 */
import { timingSafeEqual } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { tokenId } from '@island/protocol/crypto/delivery-token.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Token, TokenClass } from '@island/protocol/wire/token.ts';
import type { DeliveryStore } from '../database.ts';
import { loadSpent, type Spendable } from './spent.ts';
import type { TokenKeys } from './token-keys.ts';

export interface Redemption {
  /**
   * @returns what the transaction is to spend; nothing when all of them were spent in the same context
   * before: what they paid for is done.
   * @throws token_invalid, token_spent
   */
  check(
    tokens: readonly Token[],
    kind: TokenClass,
    context: Uint8Array,
  ): Promise<readonly Spendable[] | undefined>;
}

/** Tokens that were found ours and not spent then: whoever shows them again and again is not paid for again. */
const mostFound = 8192;
/** Tokens that are verified in one turn. */
const atOnce = 16;

export function openRedemption(store: Pick<DeliveryStore, 'rows'>, keys: TokenKeys): Redemption {
  const found = new Set<string>();

  function verify(token: Token, name: string): void {
    if (found.has(name)) return;
    const output = keys.redeeming(token.class, token.day).redeem(token.input);
    if (!timingSafeEqual(output, token.output)) throw new Fault('token_invalid');
    found.add(name);
    if (found.size <= mostFound) return;
    for (const oldest of found) {
      found.delete(oldest);
      return;
    }
  }

  return {
    async check(tokens, kind, context) {
      for (const token of tokens) {
        if (token.class !== kind) throw new Fault('token_invalid');
        keys.redeeming(kind, token.day);
      }
      const spendable = tokens.map(spendableOf);
      if (new Set(spendable.map(({ name }) => name)).size !== tokens.length)
        throw new Fault('malformed');
      const spent = await loadSpent(spendable, store);
      if (spent.isAnother(spendable, context)) throw new Fault('token_spent');
      if (tokens.length > 0 && spendable.every((token) => spent.has(token))) return undefined;
      for (const [at, token] of tokens.entries()) {
        // What large attachments cost is not looked at in one go: others send meanwhile.
        if (at > 0 && at % atOnce === 0) await setImmediate();
        verify(token, spendable[at]?.name ?? '');
      }
      return spendable;
    },
  };
}

function spendableOf(token: Token): Spendable {
  const id = Buffer.from(tokenId(token));
  return { day: token.day, id, name: id.toString('hex') };
}
