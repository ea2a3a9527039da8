/**
 * What an entry of the log says of the state of a label without showing it. docs/protocol/transparency.md §4.2
 *
 *     commitment = HMAC-SHA-256( Kc, opening 16 ‖ var16 label ‖ u32 version ‖ var16 state )
 *
 * `Kc` is the fixed key of IETF KEYTRANS. `opening` is random: where it is deleted, nothing that is left in the
 * log tells whether a guess of the state is right. State of an account: its signed device list
 * (crypto/device-list.ts), version = its epoch. State of a name: the account, 16 bytes.
 */

import { equal, hmac } from '../crypto/primitives.ts';
import { Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { fromHex } from '../wire/text.ts';
import { TransparencyFault } from './transparency-fault.ts';

const commitmentKey = fromHex('d821f8790d97709796b4d7903357c3f5');

export const openingBytes = 16;

/** What is shown of a commitment. */
export interface Opened {
  label: Uint8Array;
  version: number;
  /** 16 random bytes, used once. */
  opening: Uint8Array;
  state: Uint8Array;
}

/** 32 bytes. */
export function commit({ label, version, opening, state }: Opened): Uint8Array {
  if (opening.length !== openingBytes) throw new Fault('malformed');
  const out = new Writer(openingBytes + 8 + label.length + state.length)
    .raw(opening)
    .var16(label)
    .u32(version)
    .var16(state);
  return hmac(commitmentKey, out.done());
}

/** Throws `commitment_invalid` where `commitment` is not one to what is shown. */
export function checkCommitment(commitment: Uint8Array, shown: Opened): void {
  if (!equal(commit(shown), commitment)) throw new TransparencyFault('commitment_invalid');
}
