/**
 * What the Double Ratchet leaves to its profile: key derivation, header protection, message
 * encryption. docs/protocol/ratchet.md §5. PI/1 has one profile (ratchet-message.ts); the tests add
 * one of an older protocol so that the same ratchet can talk to independent implementations.
 */
import type { Random } from './primitives.ts';

export interface RatchetHeader {
  /** The sender's ratchet key, 32 bytes. */
  readonly dh: Uint8Array;
  /** Messages that the sender sent in the chain before this one. */
  readonly previous: number;
  /** Number of this message in its chain, from 0. */
  readonly n: number;
}

export interface RatchetProfile {
  /** New root key, chain key and next header key from the root key and a DH output. */
  root(
    rootKey: Uint8Array,
    dh: Uint8Array,
  ): { root: Uint8Array; chain: Uint8Array; headerKey: Uint8Array };
  /** The message key at this place of a chain. */
  messageKey(chain: Uint8Array): Uint8Array;
  /** The chain key one place on. */
  advance(chain: Uint8Array): Uint8Array;
  /**
   * The header, if the message belongs to the chain with this header key and ratchet key; `dh` is
   * undefined when asking for the chain that would come next. Must not depend on anything unauthenticated
   * where the profile encrypts headers.
   */
  openHeader(
    message: Uint8Array,
    headerKey: Uint8Array,
    dh: Uint8Array | undefined,
  ): RatchetHeader | undefined;
  seal(
    messageKey: Uint8Array,
    headerKey: Uint8Array,
    header: RatchetHeader,
    plaintext: Uint8Array,
    ad: Uint8Array,
    random: Random,
  ): Uint8Array;
  /** `undefined` for anything that does not verify. */
  open(messageKey: Uint8Array, message: Uint8Array, ad: Uint8Array): Uint8Array | undefined;
}
