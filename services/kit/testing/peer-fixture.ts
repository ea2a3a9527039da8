/** An HTTPS server of one peer for another, and attempts to get an answer from it. */
import { once } from 'node:events';
import { createServer } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { Log } from '../log.ts';
import { type Identity, serverOptions } from '../mtls.ts';
import type { PeerName } from '../names.ts';
import { guard } from '../peer-server.ts';

export interface PeerFixture extends AsyncDisposable {
  port: number;
  /** Requests that reached the handler. */
  handled: number;
}

/** Answers every request with its peer's serial. */
export async function peerFixture(
  identity: Identity,
  accept: PeerName[],
  log?: Log,
): Promise<PeerFixture> {
  const server = createServer(serverOptions(identity), (request, response) => {
    fixture.handled++;
    response.end((request.socket as TLSSocket).getPeerX509Certificate()?.serialNumber ?? 'nobody');
  });
  const guarded = guard(server, identity, accept, log);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const fixture: PeerFixture = {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    handled: 0,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      guarded[Symbol.dispose]();
      await closed;
    },
  };
  return fixture;
}

export interface Attempt {
  /** What came back; empty when the connection ended without a byte. */
  answer: string;
  /** Error code of our side, where there was one. */
  code: string | undefined;
  resumed: boolean;
  sessions: Buffer[];
}

const request = 'GET / HTTP/1.1\r\nHost: gateway.island.internal\r\nConnection: close\r\n\r\n';

/** Sends one request over TLS and tells how it went; never throws. */
export function attemptTls(port: number, options: ConnectionOptions): Promise<Attempt> {
  const sessions: Buffer[] = [];
  const socket = connect({ port, host: '127.0.0.1', ...options });
  let resumed = false;
  socket.on('session', (session) => sessions.push(session));
  socket.once('secureConnect', () => {
    resumed = socket.isSessionReused();
    socket.write(request);
  });
  return outcome(socket).then((end) => ({ ...end, resumed, sessions }));
}

/** The same without TLS. */
export function attemptPlain(port: number): Promise<Attempt> {
  const socket = connectTcp({ port, host: '127.0.0.1' });
  socket.write(request);
  return outcome(socket).then((end) => ({ ...end, resumed: false, sessions: [] }));
}

async function outcome(socket: Socket): Promise<{ answer: string; code: string | undefined }> {
  let answer = '';
  let code: string | undefined;
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code ?? error.name;
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return { answer, code };
}
