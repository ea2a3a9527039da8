/**
 * How the supervisor speaks with the engines: whether they answer, and how they take a renewed
 * certificate without dropping a connection. docs/decisions/031-supervisor.md, 033-edge.md
 */
import { readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { Run } from '@island/provisioning/layout.ts';
import { applianceUser, confFiles } from '@island/provisioning/run-files.ts';
import { clientOptions, type Identity } from '@island/services/kit/mtls.ts';
import { askSocket } from './unix-http.ts';

const between = 25;

/** Tries until it succeeds or `signal` ends it. */
export async function untilDone(attempt: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch {
      await wait(between, undefined, { signal });
    }
  }
}

/** NATS answers when it completes a TLS handshake with its own certificate's owner. */
export function natsAnswers(port: number, identity: Identity): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connectTls({ ...clientOptions(identity, 'nats'), host: '127.0.0.1', port });
  socket.setTimeout(2000, () => socket.destroy(new Error('no answer')));
  // In TLS 1.3 the server judges our certificate after the handshake: its INFO line says it accepted.
  socket.once('data', () => resolve());
  socket.once('error', reject);
  socket.once('close', () => reject(new Error('closed')));
  return promise.finally(() => socket.destroy());
}

/** One command over Redis' admin socket; the answer's first line. */
export async function askRedis(
  socket: string,
  password: string,
  command: readonly string[],
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const connection = createConnection({ path: socket });
  connection.setTimeout(5000, () => connection.destroy(new Error('no answer')));
  let text = '';
  connection.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const [auth, answer] = text.split('\r\n');
    if (text.split('\r\n').length < 3) return;
    if (auth !== '+OK') reject(new Error(`redis refused: ${auth}`));
    else if (answer?.startsWith('-')) reject(new Error(`redis refused: ${answer}`));
    else resolve(answer ?? '');
  });
  connection.once('error', reject);
  connection.once('close', () => reject(new Error('closed')));
  connection.write(resp(['AUTH', applianceUser, password]) + resp(command));
  return promise.finally(() => connection.destroy());
}

const resp = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join('')}`;

export const redisAnswers = async (run: Run, password: string): Promise<void> => {
  await askRedis(run.redisSocket, password, ['PING']);
};

/** Redis reads the files again when told their names, even the same ones; a bad pair leaves the old in force. */
export async function redisReload(run: Run, password: string): Promise<void> {
  const pem = run.certificate('redis');
  const files = ['tls-cert-file', pem, 'tls-key-file', pem, 'tls-ca-cert-file', run.trust];
  await askRedis(run.redisSocket, password, ['CONFIG', 'SET', ...files]);
}

export async function caddyAnswers(run: Run): Promise<void> {
  const { status } = await askSocket(run.caddySocket, {
    method: 'GET',
    path: '/config/',
    patience: 2000,
  });
  if (status !== 200) throw new Error(`caddy answered ${status}`);
}

/** Loads the same Caddyfile again, so that it reads its certificates; open sockets stay (stream_close_delay). */
export async function caddyReload(run: Run): Promise<void> {
  const body = await readFile(run.config(confFiles.caddy), 'utf8');
  const headers = { 'content-type': 'text/caddyfile', 'cache-control': 'must-revalidate' };
  const { status, text } = await askSocket(run.caddySocket, {
    method: 'POST',
    path: '/load',
    body,
    headers,
  });
  if (status !== 200) throw new Error(`caddy refused its configuration: ${text}`);
}
