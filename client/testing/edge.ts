/** For tests: a certificate authority as islands have it, and an HTTPS server that presents its chain. */
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createIssuing, createRoot } from '../../pki/ca.ts';
import { fingerprint } from '../../pki/fingerprint.ts';
import { issueLeaf } from '../../pki/issue.ts';
import { generateKey, spkiOf } from '../../pki/key.ts';
import { pem } from '../../pki/pem.ts';

export interface Chain {
  /** PEM. */
  root: string;
  fingerprint: Uint8Array;
  key: string;
  /** Leaf, edge CA and root, PEM. */
  certificates: string;
}

export async function makeChain(names: readonly string[], lifetime?: number): Promise<Chain> {
  const now = Date.now();
  const root = await createRoot(now);
  const edge = await createIssuing(root, 'edge', now);
  const { privateKey, publicKey } = await generateKey();
  const request = { kind: 'public' as const, names, spki: spkiOf(publicKey), now };
  const leaf = issueLeaf(edge, lifetime === undefined ? request : { ...request, lifetime });
  const certificates = [leaf.certificate, edge.certificate, root.certificate];
  return {
    root: pem('CERTIFICATE', root.certificate.raw),
    fingerprint: fingerprint(root.certificate),
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    certificates: certificates.map((each) => pem('CERTIFICATE', each.raw)).join(''),
  };
}

export interface Edge extends AsyncDisposable {
  address: string;
  port: number;
  server: Server;
  /** Connections that finished a handshake, and the bytes of HTTP that came over each. */
  connections: { socket: TLSSocket; received: number }[];
}

export async function serveEdge(
  chain: Chain,
  listener: RequestListener,
  host = 'localhost',
  port = 0,
): Promise<Edge> {
  const server = createServer({ key: chain.key, cert: chain.certificates }, listener);
  const connections: Edge['connections'] = [];
  server.on('secureConnection', (socket) => {
    const connection = { socket, received: 0 };
    connections.push(connection);
    const emit = socket.emit.bind(socket);
    socket.emit = (event: string, ...values: unknown[]) => {
      if (event === 'data' && values[0] instanceof Uint8Array)
        connection.received += values[0].length;
      return emit(event, ...values);
    };
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  return {
    address: `https://${host}:${bound}`,
    port: bound,
    server,
    connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
