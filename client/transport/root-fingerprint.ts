/** What links call an island by: SHA-256 of its root certificate (DER). docs/protocol/accounts.md §1 */
import { sha256 } from '@island/protocol/crypto/primitives.ts';

/** `root`: PEM. */
export function rootFingerprint(root: string): Uint8Array {
  const body = root.replace(/-----[^-]+-----|\s/g, '');
  return sha256(Uint8Array.from(atob(body), (character) => character.charCodeAt(0)));
}
