/**
 * Whether tokens are ours and unspent, in the order of what it costs to find out: class and day, the
 * spent ones, then the PRF. What spends them for good is the transaction of what they pay for
 * (spent.ts). docs/protocol/tokens.md §7
 */
import { tokenId } from '@island/protocol/crypto/delivery-token.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Token, TokenClass } from '@island/protocol/wire/token.ts';
import { gathered } from '../../kit/gathered.ts';
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

interface Named {
  token: Token;
  spendable: Spendable;
}

/** Tokens that were found ours and not spent then: whoever shows them again and again is not paid for again. */
const mostFound = 8192;
/** Tokens that are verified in one go: what large attachments cost holds up nobody who sends. */
const atOnce = 16;
/** Sends whose tokens are looked for among the spent ones with one question. */
const sendsAtOnce = 64;

export function openRedemption(store: Pick<DeliveryStore, 'rows'>, keys: TokenKeys): Redemption {
  const found = new Set<string>();
  const load = gathered(
    (sends: readonly (readonly Spendable[])[]) => loadSpent(sends.flat(), store),
    sendsAtOnce,
  );

  function remember(name: string): void {
    found.add(name);
    if (found.size <= mostFound) return;
    for (const oldest of found) {
      found.delete(oldest);
      return;
    }
  }

  /** All of one class and day. The first that is not ours ends it: garbage costs no more than one. */
  async function verify(tokens: readonly Named[]): Promise<void> {
    const unknown = tokens.filter(({ spendable }) => !found.has(spendable.name));
    for (let at = 0; at < unknown.length; at += atOnce) {
      const some = unknown.slice(at, at + atOnce);
      const [first] = some;
      if (first === undefined) return;
      const good = await keys.verify(
        first.token.class,
        first.token.day,
        some.map(({ token }) => token),
      );
      for (const { spendable } of some.slice(0, good)) remember(spendable.name);
      if (good < some.length) throw new Fault('token_invalid');
    }
  }

  return {
    async check(tokens, kind, context) {
      for (const token of tokens) {
        if (token.class !== kind) throw new Fault('token_invalid');
        keys.mustTake(token.day);
      }
      const named = tokens.map((token) => ({ token, spendable: spendableOf(token) }));
      const spendable = named.map((one) => one.spendable);
      if (new Set(spendable.map(({ name }) => name)).size !== tokens.length)
        throw new Fault('malformed');
      const spent = await load(spendable);
      if (spent.isAnother(spendable, context)) throw new Fault('token_spent');
      if (tokens.length > 0 && spendable.every((token) => spent.has(token))) return undefined;
      for (const day of new Set(tokens.map((token) => token.day)))
        await verify(named.filter(({ token }) => token.day === day));
      return spendable;
    },
  };
}

function spendableOf(token: Token): Spendable {
  const id = Buffer.from(tokenId(token));
  return { day: token.day, id, name: id.toString('hex') };
}
