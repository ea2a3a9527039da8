/** What a lane (voprf-lane.ts) has done elsewhere: the arithmetic of tokens, in a thread of its own. */
import { timingSafeEqual } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { TokenAnswer } from '@island/protocol/crypto/delivery-token.ts';
import { deriveIssuer, type TokenIssuer } from '@island/protocol/crypto/token-issuer.ts';
import { Fault, type FaultCode } from '@island/protocol/wire/fault.ts';
import type { Token, TokenClass } from '@island/protocol/wire/token.ts';

export interface Job {
  id: number;
  class: TokenClass;
  day: number;
  /** Tokens of this class and day to verify, or blinded inputs to evaluate. */
  work: { tokens: readonly Pick<Token, 'input' | 'output'>[] } | { blinded: Uint8Array };
}

/** `good`: how many of the tokens are ours, before the first that is not. */
export type Done = { id: number } & ({ good: number } | TokenAnswer | { code: FaultCode });

const { seed } = workerData as { seed: Uint8Array };
/** Two days of two classes, and some from before. */
const mostKeys = 16;
const keys = new Map<string, TokenIssuer>();

function keyOf({ class: kind, day }: Job): TokenIssuer {
  const name = `${kind} ${day}`;
  const issuer = keys.get(name) ?? deriveIssuer(seed, kind, day);
  if (keys.size >= mostKeys) keys.clear();
  keys.set(name, issuer);
  return issuer;
}

function done(job: Job): Done {
  const { id, work } = job;
  try {
    const issuer = keyOf(job);
    if ('blinded' in work) return { id, ...issuer.evaluate(work.blinded) };
    const wrong = work.tokens.findIndex(
      ({ input, output }) => !timingSafeEqual(issuer.redeem(input), output),
    );
    return { id, good: wrong === -1 ? work.tokens.length : wrong };
  } catch (error) {
    return { id, code: error instanceof Fault ? error.code : 'internal' };
  }
}

parentPort?.on('message', (jobs: readonly Job[]) => parentPort?.postMessage(jobs.map(done)));
