/**
 * A delivery token as it is spent: the island can tell that it issued it, not to whom. docs/protocol/tokens.md §2
 *
 *     token = u8 class ‖ u32 day ‖ input 32 ‖ output 64          101 bytes
 */
import { Reader, Writer } from './bytes.ts';
import { Fault } from './fault.ts';

/** What a token pays for: envelopes that are delivered, or attachments that are kept. */
export const tokenClasses = { delivery: 1, media: 2 } as const;
export type TokenClass = (typeof tokenClasses)[keyof typeof tokenClasses];

export interface Token {
  class: TokenClass;
  /** Days since 1970-01-01 UTC: good on this one and the next. */
  day: number;
  /** 32 random bytes that only the client knew before it spent the token. */
  input: Uint8Array;
  /** 64 bytes: what the island's key of the class and day makes of the input. */
  output: Uint8Array;
}

/** Bytes of one token. */
export const tokenBytes = 101;

export const isTokenClass = (value: number): value is TokenClass =>
  value === tokenClasses.delivery || value === tokenClasses.media;

export function writeToken(out: Writer, token: Token): Writer {
  return out.u8(token.class).u32(token.day).raw(token.input).raw(token.output);
}

/** Form only: `malformed` for a class that does not exist. */
export function readToken(from: Reader): Token {
  const kind = from.u8();
  if (!isTokenClass(kind)) throw new Fault('malformed');
  return { class: kind, day: from.u32(), input: from.raw(32), output: from.raw(64) };
}

export const encodeToken = (token: Token): Uint8Array =>
  writeToken(new Writer(tokenBytes), token).done();

/** Exactly one token; form only. */
export function decodeToken(bytes: Uint8Array): Token {
  const from = new Reader(bytes);
  const token = readToken(from);
  from.end();
  return token;
}
