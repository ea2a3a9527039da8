/**
 * The first connection to an island, when only the fingerprint of its root is known. docs/protocol/http.md §1
 *
 * A handshake whose sole purpose is to be shown the chain: nothing is sent over it. The certificate in
 * it that hashes to the fingerprint becomes the only trusted root; whether the server's certificate
 * leads to it is then decided by an ordinary, verified handshake.
 */
import { X509Certificate } from 'node:crypto';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import { Problem } from '../problem.ts';

/** Milliseconds. */
const timeout = 10_000;
/** A chain is short; one without end is not followed. */
const longestChain = 8;

/** PEM of the root. Throws `unreachable`, or `wrong_island` when the chain does not hold that root. */
export async function fetchRoot(address: string, fingerprint: Uint8Array): Promise<string> {
  for (const der of await chain(address)) {
    if (!equal(sha256(der), fingerprint)) continue;
    const root = new X509Certificate(der);
    if (root.ca && root.checkIssued(root) && root.verify(root.publicKey)) return root.toString();
  }
  throw new Problem('wrong_island', { address });
}

function chain(address: string): Promise<Uint8Array[]> {
  const { hostname, port } = new URL(address);
  const host = hostname.replace(/^\[|\]$/g, '');
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array[]>();
  const socket = connect({
    host,
    port: Number(port || 443),
    ...(!/^[\d.]+$|:/.test(host) && { servername: host }),
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    // The chain is only looked at; the root is recognised by its hash.
    rejectUnauthorized: false,
  });
  socket.setTimeout(timeout, () => socket.destroy(new Error('timeout')));
  socket.once('secureConnect', () => {
    const found: Uint8Array[] = [];
    let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
    while (next?.raw && found.length < longestChain) {
      found.push(next.raw);
      next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
    }
    socket.destroy();
    resolve(found);
  });
  socket.once('error', (cause) => reject(new Problem('unreachable', { address }, { cause })));
  socket.once('close', () => reject(new Problem('unreachable', { address })));
  return promise;
}
