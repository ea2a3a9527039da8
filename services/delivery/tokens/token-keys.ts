/**
 * The keys that tokens are issued and redeemed with: one a class and day, all from one seed, so that
 * there is nothing to keep of them. docs/protocol/tokens.md §5
 */
import type { TokenAnswer } from '@island/protocol/crypto/delivery-token.ts';
import { deriveIssuer } from '@island/protocol/crypto/token-issuer.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type Token, type TokenClass, tokenClasses } from '@island/protocol/wire/token.ts';
import { type Clock, unixDay } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { openVoprfLane } from './voprf-lane.ts';

export interface PublishedKey {
  class: TokenClass;
  day: number;
  /** 32 bytes. */
  public: Uint8Array;
}

export interface TokenKeys extends AsyncDisposable {
  /** What tokens are issued under now: the keys of today and of tomorrow. */
  published(): PublishedKey[];
  /** Whether tokens are issued for that day now. @throws token_invalid */
  mustIssue(day: number): void;
  /** Whether tokens of that day are taken now: today's and yesterday's. @throws token_invalid */
  mustTake(day: number): void;
  evaluate(kind: TokenClass, day: number, blinded: Uint8Array): Promise<TokenAnswer>;
  /** How many of the tokens, all of this class and day, are ours: before the first that is not. */
  verify(kind: TokenClass, day: number, tokens: readonly Token[]): Promise<number>;
}

export function openTokenKeys(parts: {
  /** 32 bytes. */
  seed: Uint8Array;
  clock: Clock;
  log: Log;
}): TokenKeys {
  const { seed, clock, log } = parts;
  // Whoever sends does not wait for those who get tokens.
  const [issuing, redeeming] = [openVoprfLane(seed, log), openVoprfLane(seed, log)];
  let shown: PublishedKey[] = [];

  function publishedOn(today: number): PublishedKey[] {
    const kinds = Object.values(tokenClasses);
    return [today, today + 1].flatMap((day) =>
      kinds.map((kind) => ({ class: kind, day, public: deriveIssuer(seed, kind, day).public })),
    );
  }

  const mustBe = (day: number, first: number): void => {
    const ahead = day - unixDay(clock);
    if (ahead < first || ahead > first + 1) throw new Fault('token_invalid');
  };

  return {
    published() {
      const today = unixDay(clock);
      if (shown[0]?.day !== today) shown = publishedOn(today);
      return shown;
    },
    mustIssue: (day) => mustBe(day, 0),
    mustTake: (day) => mustBe(day, -1),
    evaluate: issuing.evaluate,
    verify: redeeming.verify,
    async [Symbol.asyncDispose]() {
      await Promise.all([issuing[Symbol.asyncDispose](), redeeming[Symbol.asyncDispose]()]);
    },
  };
}
