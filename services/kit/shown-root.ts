/**
 * The root certificate of an island of which its SHA-256 alone is known: an island shows the root with its chain.
 * docs/protocol/http.md §1
 *
 * A handshake whose sole purpose is to be shown the chain: nothing is sent over it. Whether the server's certificate
 * leads to that root is then decided by an ordinary, verified handshake.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';

/** A chain is short; one without end is not followed. */
const longestChain = 8;

/**
 * PEM of the root; `undefined` where another chain is shown. Rejects where nobody answers, or `signal` says to stop.
 * @param fingerprint SHA-256 of the root (DER)
 * @param patience milliseconds
 */
export async function shownRoot(
  address: string,
  fingerprint: Uint8Array,
  patience: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  for (const der of await shownChain(address, patience, signal)) {
    if (!equal(sha256(der), fingerprint)) continue;
    const root = new X509Certificate(der);
    if (root.ca && root.checkIssued(root) && root.verify(root.publicKey)) return root.toString();
  }
  return undefined;
}

async function shownChain(
  address: string,
  patience: number,
  signal?: AbortSignal,
): Promise<Uint8Array[]> {
  signal?.throwIfAborted();
  const { hostname, port } = new URL(address);
  const host = hostname.replace(/^\[|\]$/g, '');
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array[]>();
  const socket = connect({
    host,
    port: Number(port || 443),
    ...(isIP(host) === 0 && { servername: host }),
    minVersion: 'TLSv1.2',
    // The chain is only looked at; the root is recognised by its hash.
    rejectUnauthorized: false,
  });
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
  const stop = (): void => void socket.destroy(new Error('nobody waits for it any more'));
  signal?.addEventListener('abort', stop);
  // A timeout of silence alone would let a drip of bytes hold us for ever.
  const late = setTimeout(() => socket.destroy(new Error('nobody answers in time')), patience);
  socket.once('error', reject);
  socket.once('close', () => {
    clearTimeout(late);
    signal?.removeEventListener('abort', stop);
    reject(new Error('closed before anything was shown'));
  });
  return promise;
}
