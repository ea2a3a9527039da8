/** What people compare: SHA-256 of the root certificate's DER. Clients pin it; the invite link carries it. */
import { createHash, X509Certificate } from 'node:crypto';

/** @param certificate PEM, DER or decoded @returns 32 bytes */
export function fingerprint(certificate: string | Uint8Array | X509Certificate): Uint8Array {
  const decoded =
    certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate);
  return new Uint8Array(createHash('sha256').update(decoded.raw).digest());
}
