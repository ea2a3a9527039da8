/** A TLS server that only named peers reach: who enters, fresh credentials, and the end of a connection with its certificate. */

import type { Server, TLSSocket } from 'node:tls';
import type { Log } from './log.ts';
import { type Identity, peerName, secureContext } from './mtls.ts';
import type { PeerName } from './names.ts';

/** Milliseconds between looks at whose certificate has ended. */
const sweepInterval = 1000;

/**
 * Keeps a TLS server made with `serverOptions`: swaps in renewed credentials and revocation lists,
 * cuts off whoever is not in `accept` before a byte of theirs is read, and ends every connection
 * when the certificate it was opened with does. Disposing of it stops that and ends the connections.
 */
export function guard(
  server: Server,
  identity: Identity,
  accept: readonly PeerName[],
  log?: Log,
): Disposable {
  /** Until when each may stay, Unix ms: one look at all of them costs less than a timer each. */
  const open = new Map<TLSSocket, number>();
  const admit = (socket: TLSSocket): void => {
    const certificate = socket.getPeerX509Certificate();
    const peer = peerName(certificate);
    if (certificate === undefined || peer === undefined || !accept.includes(peer)) {
      log?.warn('peer_refused', { peer: peer ?? 'unknown' });
      socket.destroy();
      return;
    }
    open.set(socket, certificate.validToDate.getTime());
    socket.once('close', () => open.delete(socket));
  };
  const sweep = setInterval(() => {
    const now = Date.now();
    for (const [socket, end] of open) if (now >= end) socket.destroy();
  }, sweepInterval);
  sweep.unref();
  const refused = (): void => log?.warn('handshake_refused');
  const forget = identity.onRenewed((credentials) =>
    server.setSecureContext(secureContext(credentials)),
  );
  // Before the listener that feeds the HTTP parser.
  server.prependListener('secureConnection', admit);
  server.on('tlsClientError', refused);
  return {
    [Symbol.dispose]() {
      forget();
      server.off('secureConnection', admit);
      server.off('tlsClientError', refused);
      clearInterval(sweep);
      for (const socket of open.keys()) socket.destroy();
    },
  };
}
