/**
 * One attempt to be let in at a TCP port: connects as told, says what a client of that protocol
 * says first, and tells whether anything but a refusal came back. Nothing here trusts the answer.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';

export type Protocol = 'https' | 'nats' | 'redis';

interface Starter {
  /** What a client says once it is connected. */
  hello: string;
  /** The answer that only somebody who was let in gets. */
  welcome: RegExp;
  /** An answer that ends the attempt. */
  refusal: RegExp;
}

const natsConnect =
  'CONNECT {"verbose":false,"pedantic":false,"lang":"verify","version":"1","protocol":1}\r\n';

export const starters: Readonly<Record<Protocol, Starter>> = {
  https: {
    hello:
      'GET /v1/challenge HTTP/1.1\r\nHost: gateway.island.internal\r\nConnection: close\r\n\r\n',
    welcome: /^HTTP\/1\.1 (?!400)/,
    refusal: /^HTTP\/1\.[01] 400/,
  },
  nats: { hello: `${natsConnect}PING\r\n`, welcome: /^PONG\r\n/m, refusal: /^-ERR/m },
  redis: { hello: 'PING\r\n', welcome: /^\+PONG\r\n/m, refusal: /^-/m },
};

export interface Attempt {
  port: number;
  protocol: Protocol;
  /** Absent: no TLS at all. */
  tls?: ConnectionOptions;
  /** Instead of the protocol's own hello, and until when to listen. */
  script?: { say: string; until: RegExp };
  /** Milliseconds after which silence is a refusal. */
  patience?: number;
}

export interface Outcome {
  accepted: boolean;
  /** Everything readable that came back. */
  said: string;
  /** How it ended, in short: an error code, a refusal, silence. */
  how: string;
}

/** Milliseconds: longer than any handshake timeout of the island. */
const longest = 4000;

/** Never throws: whatever goes wrong is the outcome. */
export async function attempt(o: Attempt): Promise<Outcome> {
  const starter = starters[o.protocol];
  const { say, until } = o.script ?? {
    say: starter.hello,
    until: new RegExp(`${starter.welcome.source}|${starter.refusal.source}`, 'm'),
  };
  const { said, how } = await talk(o, say, until);
  const accepted = starter.welcome.test(said);
  return { accepted, said, how: accepted ? 'answered' : how };
}

async function talk(
  o: Attempt,
  say: string,
  until: RegExp,
): Promise<{ said: string; how: string }> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let said = '';
  const socket = open(o, () => socket.write(say));
  socket.setTimeout(o.patience ?? longest, () => resolve('silence'));
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.name));
  socket.on('close', () => resolve('closed'));
  socket.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1');
    if (until.test(said)) resolve('answered');
  });
  const ended = await promise;
  socket.destroy();
  const refusal = /^-[^\r\n]*|^HTTP[^\r\n]*/m.exec(said)?.[0];
  return { said, how: refusal?.slice(0, 80) ?? (said === '' ? `${ended}, 0 bytes` : ended) };
}

function open({ port, tls }: Attempt, connected: () => void): Socket | TLSSocket {
  const where = { host: '127.0.0.1', port };
  try {
    return tls === undefined
      ? connectTcp(where, connected)
      : connectTls({ ...where, ...tls }, connected);
  } catch (error) {
    // Options that OpenSSL itself will not have, such as a certificate that it cannot read.
    const broken = connectTcp(where);
    queueMicrotask(() => broken.destroy(error instanceof Error ? error : new Error('refused')));
    return broken;
  }
}
