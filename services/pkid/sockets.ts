/** The unix sockets of pkid: one a name, for its owner alone. The file that can be opened is who one is. */
import { chmod, readdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { checkPrivate, privateFolder } from '@island/pki/store.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type CertificateName, requestBytes } from '../kit/certificate-request.ts';
import { ConfigError } from '../kit/config.ts';

/** Of one socket, at a time; the next gets `rate_limited`. */
const connections = 16;
/** Milliseconds in which a line must be whole. */
const patience = 2000;
/** sockaddr_un of Linux has room for 107 bytes and a zero. */
const longestPath = 107;

/** Answers one line with one line. What it throws must not leave: it maps errors itself. */
export type Answer = (name: CertificateName, line: Uint8Array) => Promise<object>;

export async function listenAll(
  folder: string,
  names: readonly CertificateName[],
  answer: Answer,
): Promise<AsyncDisposable> {
  await privateFolder(folder);
  await removeStale(folder);
  await using opened = new AsyncDisposableStack();
  for (const name of names) {
    const open = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      socket.on('error', () => socket.destroy());
      if (open.size > connections) finish(socket, { fault: 'rate_limited' });
      else readLine(socket, (line) => answer(name, line));
    });
    await listen(server, join(folder, `${name}.sock`));
    opened.defer(() => close(server, open));
  }
  const held = opened.move();
  return { [Symbol.asyncDispose]: () => held.disposeAsync() };
}

async function listen(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > longestPath) {
    throw new ConfigError(
      `${path} is longer than the ${longestPath} bytes a socket's path may have; use a shorter data folder.`,
    );
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(path, resolve);
  await promise;
  server.off('error', reject);
  await chmod(path, 0o600);
  await checkPrivate(path);
}

function close(server: Server, open: Set<Socket>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  for (const socket of open) socket.destroy();
  return promise;
}

/** Files of sockets that a killed pkid left; one that answers means that another pkid is at work. */
async function removeStale(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.sock')) continue;
    const path = join(folder, name);
    if (await answers(path))
      throw new ConfigError(`Another pkid is running on ${path}; stop it first.`);
    await unlink(path);
  }
}

function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path, () => resolve(true));
  socket.once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

/** Gathers bytes until a newline, the client's end, or one byte more than a line may have. */
function readLine(socket: Socket, answer: (line: Uint8Array) => Promise<object>): void {
  const chunks: Buffer[] = [];
  let size = 0;
  const take = (chunk: Buffer): void => {
    chunks.push(chunk);
    size += chunk.length;
    if (size > requestBytes || chunk.includes(0x0a)) done();
  };
  const done = (): void => {
    socket.off('data', take).off('end', done).resume();
    clearTimeout(timer);
    void answer(Buffer.concat(chunks, size)).then((reply) => finish(socket, reply));
  };
  const timer = setTimeout(() => finish(socket, { fault: 'too_slow' }), patience);
  socket.once('close', () => clearTimeout(timer));
  socket.on('data', take).on('end', done);
}

function finish(socket: Socket, reply: object): void {
  if (socket.destroyed) return;
  socket.end(`${JSON.stringify(reply)}\n`, () => socket.destroy());
}

export const faultOf = (error: unknown): Fault => {
  if (error instanceof Fault) return error;
  const full =
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOSPC' || error.code === 'EDQUOT');
  return new Fault(full ? 'storage_full' : 'internal', undefined, { cause: error });
};
