/**
 * The island's half of tokens: gives them out blindly, with a proof, and knows its own again.
 * docs/protocol/tokens.md §5
 *
 *     key of a class and day = DeriveKeyPair( seed, "PI/1/token-key" ‖ u8 class ‖ u32 day )
 */
import { concat, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';
import type { TokenClass } from '../wire/token.ts';
import { inParts, type TokenAnswer, tokenInput } from './delivery-token.ts';
import type { Random } from './primitives.ts';
import { deriveKey, evaluate, evaluateInput } from './voprf.ts';

export interface TokenIssuer {
  /** 32 bytes: the same for everybody. */
  readonly public: Uint8Array;
  /**
   * @param request 1 to `limits.tokensPerBatch` elements of 32 bytes, else `malformed`
   * @param random for the proof: never the same twice
   * @throws not_canonical for the identity and for bytes that are no element
   */
  evaluate(request: Uint8Array, random?: Random): TokenAnswer;
  /** The 64 bytes that a token with this input has; to be compared in constant time. */
  redeem(input: Uint8Array): Uint8Array;
}

const label = utf8Bytes('PI/1/token-key');

/** @param seed 32 secret bytes, from which nothing else is derived this way */
export function deriveIssuer(seed: Uint8Array, kind: TokenClass, day: number): TokenIssuer {
  const key = deriveKey(seed, new Writer(32).raw(label).u8(kind).u32(day).done());
  return {
    public: key.public,
    evaluate(request, random) {
      const blinded = inParts(request);
      const whole = request.length === 32 * blinded.length;
      if (!whole || blinded.length === 0 || blinded.length > limits.tokensPerBatch)
        throw new Fault('malformed');
      const { evaluated, proof } = evaluate(key, blinded, random);
      return { evaluated: concat(...evaluated), proof };
    },
    redeem(input) {
      if (input.length !== 32) throw new Fault('malformed');
      return evaluateInput(key, tokenInput(kind, day, input));
    },
  };
}
