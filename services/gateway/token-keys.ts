/** The keys of `accounts`; a key that it no longer publishes stops being good at the next question. docs/protocol/accounts.md §4 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { type CryptoKey, importJWK } from 'jose';
import { accessToken, accounts } from '../accounts/contract.ts';
import { pause } from '../kit/backoff.ts';
import type { Bus } from '../kit/bus.ts';

/** Milliseconds after which the keys are asked for again, and between two questions for an unknown one. */
const keysFor = 600_000;
const askEvery = 1000;

export function openTokenKeys(bus: Bus) {
  let known = new Map<string, CryptoKey | Uint8Array>();
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    // Whoever invents key names waits like everybody, and puts no load on accounts.
    const early = askedAt + askEvery - performance.now();
    if (early > 0) await pause(early);
    askedAt = performance.now();
    const answer = await bus.call(accounts, 'keys', {});
    const fresh = new Map<string, CryptoKey | Uint8Array>();
    for (const jwk of answer.keys) {
      if (jwk['kid'] !== undefined)
        fresh.set(jwk['kid'], await importJWK(jwk, accessToken.algorithm));
    }
    known = fresh;
  }

  /** One question at a time; whoever comes meanwhile waits for its answer. */
  function askTogether(): Promise<void> {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  }

  return {
    async find(kid: string | undefined): Promise<CryptoKey | Uint8Array> {
      if (kid === undefined) throw new Fault('unauthenticated');
      const found = known.get(kid);
      if (found !== undefined && performance.now() - askedAt < keysFor) return found;
      // A key that is old but known is good until accounts says otherwise.
      await askTogether().catch((error: unknown) => {
        if (found === undefined) throw error;
      });
      const key = known.get(kid);
      if (key === undefined) throw new Fault('unauthenticated');
      return key;
    },
  };
}
