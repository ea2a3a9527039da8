/**
 * How a client comes by tokens that the island can't tell from one another. docs/protocol/tokens.md §4
 *
 *     PRF input = "PI/1/token" ‖ u8 class ‖ u32 day ‖ input 32
 *
 * Invariant: no token is taken from an answer that is not proved under the public key that the client had
 * before it asked. A key of one's own for each account would tell them apart.
 */
import { concat, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';
import { encodeToken, type Token, type TokenClass } from '../wire/token.ts';
import { CryptoFault } from './crypto-fault.ts';
import { type Random, randomBytes, sha256 } from './primitives.ts';
import { randomScalar } from './ristretto.ts';
import { blind, finalize, isProved } from './voprf.ts';

/** What stays with the client until the answer comes; in no file and in no log. */
export interface TokenSecret {
  readonly class: TokenClass;
  readonly day: number;
  readonly input: Uint8Array;
  readonly blind: Uint8Array;
  readonly blinded: Uint8Array;
}

/** The island's answer to a request of n × 32 bytes. */
export interface TokenAnswer {
  /** n × 32 bytes. */
  evaluated: Uint8Array;
  /** 64 bytes. */
  proof: Uint8Array;
}

const label = utf8Bytes('PI/1/token');

export const tokenInput = (kind: TokenClass, day: number, input: Uint8Array): Uint8Array =>
  new Writer(64).raw(label).u8(kind).u32(day).raw(input).done();

/** `count`: 1 to `limits.tokensPerBatch`. */
export function blindTokens(
  kind: TokenClass,
  day: number,
  count: number,
  random: Random = randomBytes,
): { request: Uint8Array; secrets: TokenSecret[] } {
  if (count < 1 || count > limits.tokensPerBatch) throw new Fault('malformed');
  const secrets = Array.from({ length: count }, () => {
    const input = random(32);
    const by = randomScalar(random);
    const blinded = blind(tokenInput(kind, day, input), by);
    return { class: kind, day, input, blind: by, blinded };
  });
  return { request: concat(...secrets.map(({ blinded }) => blinded)), secrets };
}

/**
 * @param publicKey of the class and day, as everybody has it
 * @throws CryptoFault `token_unproved`: another key, another order, other elements, or nothing in form
 */
export function finishTokens(
  secrets: readonly TokenSecret[],
  { evaluated, proof }: TokenAnswer,
  publicKey: Uint8Array,
): Token[] {
  const elements = inParts(evaluated);
  const blinded = secrets.map((secret) => secret.blinded);
  if (!proves(publicKey, blinded, elements, proof)) throw new CryptoFault('token_unproved');
  return secrets.map((secret, i) => {
    const { class: kind, day, input } = secret;
    const at = elements[i] ?? evaluated;
    const output = finalize(tokenInput(kind, day, input), secret.blind, at);
    return { class: kind, day, input, output };
  });
}

function proves(...[key, blinded, evaluated, proof]: Parameters<typeof isProved>): boolean {
  try {
    return isProved(key, blinded, evaluated, proof);
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

/** Whole elements of 32 bytes; an incomplete one is an element that is not canonical. */
export function inParts(bytes: Uint8Array): Uint8Array[] {
  const count = Math.ceil(bytes.length / 32);
  return Array.from({ length: count }, (_, i) => bytes.subarray(32 * i, 32 * i + 32));
}

/** 16 bytes: by what the island knows a token that was spent. */
export const tokenId = (token: Token): Uint8Array => sha256(encodeToken(token)).slice(0, 16);

/** 16 bytes of what tokens pay for (`orderOf` of a send): spent with them, and good for a repetition. */
export const spendContext = (order: Uint8Array): Uint8Array => sha256(order).slice(0, 16);
