/** HTTP listeners: mTLS for our own peers, a unix socket for operators. Slow, silent and oversize clients are shown out. docs/architecture.md §1 */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { type FaultCode, faults } from '@island/protocol/wire/fault.ts';
import type { Log } from './log.ts';
import { type Identity, peerName, serverOptions } from './mtls.ts';
import type { PeerName } from './names.ts';
import { guard } from './peer-server.ts';

/** Milliseconds. */
export interface HttpPatience {
  /** Until the headers of a request are complete. */
  headersTimeout: number;
  /** Until its body is. */
  requestTimeout: number;
}

const patience: HttpPatience = { headersTimeout: 10_000, requestTimeout: 30_000 };
const bounds = {
  // Longer than the edge keeps an idle connection: it must never write on one that is being closed.
  keepAliveTimeout: 180_000,
  connectionsCheckingInterval: 500,
  maxHeaderSize: 8192,
};
/** Milliseconds that answers under way get when a server closes. */
const grace = 3000;

export interface Listening<S extends Server> extends AsyncDisposable {
  /** For `upgrade`. */
  readonly server: S;
  /** 0 for a unix socket. */
  readonly port: number;
}

export interface ServeTlsOptions {
  listener: RequestListener;
  identity: Identity;
  /** Whose certificates are let in. */
  accept: PeerName[];
  /** On 127.0.0.1; 0 lets the system choose. */
  port: number;
  log: Log;
  /** Other than ours, for tests. */
  patience?: HttpPatience;
}

export async function serveTls(options: ServeTlsOptions): Promise<Listening<TlsServer>> {
  const { listener, identity, accept, port, log } = options;
  const server = createTlsServer(
    { ...bounds, ...(options.patience ?? patience), ...serverOptions(identity) },
    listener,
  );
  const guarded = guard(server, identity, accept, log);
  return listening(server, { host: '127.0.0.1', port }, () => guarded[Symbol.dispose]());
}

/** @param path of the socket, in a folder that only we can enter; a left-over one is replaced */
export async function serveUnix({
  listener,
  path,
}: {
  listener: RequestListener;
  path: string;
}): Promise<Listening<Server>> {
  await rm(path, { force: true });
  const open = await listening(
    createServer({ ...bounds, ...patience }, listener),
    { path },
    () => undefined,
  );
  await chmod(path, 0o600);
  return open;
}

/** The client's address in `X-Real-IP`, believed of the edge alone. */
export function clientAddress({ socket, headers }: IncomingMessage): string | undefined {
  if (!(socket instanceof TLSSocket) || peerOf(socket) !== 'edge') return undefined;
  const given = headers['x-real-ip'];
  return typeof given === 'string' && isIP(given) !== 0 ? given : undefined;
}

const peers = new WeakMap<TLSSocket, PeerName>();

function peerOf(socket: TLSSocket): PeerName | undefined {
  const known = peers.get(socket);
  if (known !== undefined) return known;
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  const name = certificate === undefined ? undefined : peerName(certificate);
  if (name !== undefined) peers.set(socket, name);
  return name;
}

async function listening<S extends Server>(
  server: S,
  where: { host: string; port: number } | { path: string },
  release: () => void,
): Promise<Listening<S>> {
  server.on('clientError', refuse);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(where, resolve);
  await promise;
  server.off('error', reject);
  const address = server.address();
  return {
    server,
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeIdleConnections();
      const timer = setTimeout(() => {
        server.closeAllConnections();
        // What was upgraded is no longer the server's to close.
        release();
      }, grace);
      await closed;
      clearTimeout(timer);
      release();
    },
  };
}

/** What is not HTTP, too large in its headers or too slow gets a stated refusal where one can still be written. */
function refuse(error: Error & { code?: string }, socket: Duplex): void {
  const code: FaultCode =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? 'too_slow'
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? 'too_large'
        : 'malformed';
  if (!socket.writable || (socket as Socket).bytesWritten > 0) return void socket.destroy();
  refuseStream(socket, code);
}

/** Writes a refusal in HTTP to a connection that has no response, and ends it. */
export function refuseStream(stream: Duplex, code: FaultCode): void {
  const { status, text } = faults[code];
  const body = JSON.stringify({ code, text });
  const again = status === 429 || status === 503 ? 'Retry-After: 1\r\n' : '';
  stream.end(
    `HTTP/1.1 ${status} ${code}\r\nConnection: close\r\n${again}Content-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
