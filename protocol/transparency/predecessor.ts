/**
 * What a log says of the one that it was begun in place of. docs/protocol/transparency.md §6.7
 *
 *     text = "pi-kt/predecessor/v1\n" ‖ vkey ‖ "\n" ‖ size ‖ "\n" ‖ base64( root 32 ) ‖ "\n" ‖ seen ‖ "\n"
 *
 * Its SHA-256 is in OPERATOR predecessor 1, the third entry of a successor. Nobody but the successor's own key vouches
 * for it: a log that was put back can sign nothing more.
 */
import { sha256 } from '../crypto/primitives.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { base64 } from '../wire/text.ts';
import { encodeOperator, operatorKinds } from './leaves.ts';

export interface Predecessor {
  /** Its verifier key. */
  vkey: string;
  /** Of the newest checkpoint that the island still had. */
  size: number;
  root: Uint8Array;
  /** The largest size of it that witnesses are known to have signed; at least `size`. */
  seen: number;
}

/** Index of the OPERATOR entry, behind those of policy and VRF key. */
export const predecessorEntry = 2;

/** What the entry has the SHA-256 of. */
export const predecessorText = ({ vkey, size, root, seen }: Predecessor): string =>
  `pi-kt/predecessor/v1\n${vkey}\n${size}\n${base64(root)}\n${seen}\n`;

/** The entry itself. */
export const encodePredecessor = (predecessor: Predecessor): Uint8Array =>
  encodeOperator({
    kind: operatorKinds.predecessor,
    number: 1,
    hash: sha256(utf8Bytes(predecessorText(predecessor))),
  });
