/**
 * The keys that tokens are issued and redeemed with: one a class and day, all from one seed, so that
 * there is nothing to keep of them. docs/protocol/tokens.md §5
 */
import { deriveIssuer, type TokenIssuer } from '@island/protocol/crypto/token-issuer.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type TokenClass, tokenClasses } from '@island/protocol/wire/token.ts';
import { type Clock, unixDay } from '../../kit/clock.ts';

export interface PublishedKey {
  class: TokenClass;
  day: number;
  /** 32 bytes. */
  public: Uint8Array;
}

export interface TokenKeys {
  /** What tokens are issued under now: the keys of today and of tomorrow. */
  published(): PublishedKey[];
  /** @throws token_invalid when none are issued for that day */
  issuing(kind: TokenClass, day: number): TokenIssuer;
  /** @throws token_invalid when none are taken of that day: neither today's nor yesterday's */
  redeeming(kind: TokenClass, day: number): TokenIssuer;
}

/** @param seed 32 bytes */
export function openTokenKeys(seed: Uint8Array, clock: Clock): TokenKeys {
  const derived = new Map<string, { issuer: TokenIssuer; day: number }>();

  function keyOf(kind: TokenClass, day: number): TokenIssuer {
    const name = `${kind} ${day}`;
    const known = derived.get(name);
    if (known !== undefined) return known.issuer;
    const issuer = deriveIssuer(seed, kind, day);
    for (const [old, key] of derived) if (key.day < unixDay(clock) - 1) derived.delete(old);
    derived.set(name, { issuer, day });
    return issuer;
  }

  const within = (day: number, first: number): void => {
    const ahead = day - unixDay(clock);
    if (ahead < first || ahead > first + 1) throw new Fault('token_invalid');
  };

  return {
    published() {
      const today = unixDay(clock);
      return [today, today + 1].flatMap((day) =>
        Object.values(tokenClasses).map((kind) => ({
          class: kind,
          day,
          public: keyOf(kind, day).public,
        })),
      );
    },
    issuing(kind, day) {
      within(day, 0);
      return keyOf(kind, day);
    },
    redeeming(kind, day) {
      within(day, -1);
      return keyOf(kind, day);
    },
  };
}
