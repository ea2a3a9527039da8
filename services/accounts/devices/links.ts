/**
 * The relay by which a device of an account links a new one: four short messages an offer, in memory, for
 * a few minutes. The island can read none of them. docs/protocol/linking.md
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { type Clock, unixSeconds } from '../../kit/clock.ts';

/** Who speaks: a device of the account, or the joining of that id. */
export interface LinkSide {
  account: AccountId;
  joining?: string | undefined;
}

export interface LinkStep {
  /** 16 bytes. */
  offer: Uint8Array;
  /** 1 to 4: 1 and 3 are the new device's, 2 and 4 the old one's. */
  step: number;
}

export interface Links {
  /** The same offer again changes nothing. Of too many of one account the oldest ends. */
  open(account: AccountId, offer: Uint8Array): void;
  /**
   * What was put stays: the same again changes nothing.
   * Throws `link_expired` for an offer that is over or of another account; `forbidden` for a step of the other side, an
   * offer that another joining has taken, and another message in the place of one; `malformed` out of turn.
   */
  put(side: LinkSide, at: LinkStep, message: Uint8Array): void;
  get(side: LinkSide, at: LinkStep): Uint8Array | undefined;
}

interface Offer {
  account: AccountId;
  /** Unix seconds. */
  expires: number;
  /** The joining that put the first message: the offer is its own. */
  joining: string | undefined;
  /** By step, from 1. */
  messages: Uint8Array[];
}

export function createLinks(clock: Clock): Links {
  /** In the order in which they were opened. */
  const offers = new Map<string, Offer>();

  function dropOver(): void {
    const now = unixSeconds(clock);
    for (const [key, { expires }] of offers) {
      if (expires > now) return;
      offers.delete(key);
    }
  }

  function find({ account, joining }: LinkSide, offer: Uint8Array): Offer {
    dropOver();
    const found = offers.get(hex(offer));
    if (found?.account !== account) throw new Fault('link_expired');
    const taken = joining !== undefined && found.joining !== undefined && found.joining !== joining;
    if (taken) throw new Fault('forbidden');
    return found;
  }

  return {
    open(account, offer) {
      dropOver();
      const known = offers.get(hex(offer));
      if (known?.account === account) return;
      if (known !== undefined) throw new Fault('link_expired');
      const own = [...offers].filter(([, one]) => one.account === account);
      const [oldest] = own;
      if (own.length >= limits.linkOffers && oldest !== undefined) offers.delete(oldest[0]);
      const expires = unixSeconds(clock) + limits.linkSeconds;
      offers.set(hex(offer), { account, expires, joining: undefined, messages: [] });
    },
    put(side, { offer, step }, message) {
      const found = find(side, offer);
      const isNew = side.joining !== undefined;
      if (isNew !== (step % 2 === 1)) throw new Fault('forbidden');
      const before = found.messages[step - 1];
      if (before !== undefined) {
        if (!equal(before, message)) throw new Fault('forbidden');
        return;
      }
      if (step > 4 || found.messages.length !== step - 1) throw new Fault('malformed');
      found.joining ??= side.joining;
      found.messages.push(message.slice());
    },
    get: (side, { offer, step }) => find(side, offer).messages[step - 1],
  };
}
