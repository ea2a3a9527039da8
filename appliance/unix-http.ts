/** One JSON request over a unix socket: how `island` asks the supervisor, control, and Caddy's admin endpoint. */
import { request } from 'node:http';

export interface SocketRequest {
  method: 'GET' | 'POST';
  path: string;
  /** Sent as it is, when a text; else as JSON. */
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  /** Milliseconds until the whole answer must be there. */
  patience?: number;
}

export interface SocketAnswer {
  status: number;
  text: string;
}

/** Rejects with the system's error when nobody listens on `socket`. */
export function askSocket(socket: string, asked: SocketRequest): Promise<SocketAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<SocketAnswer>();
  const body = typeof asked.body === 'string' ? asked.body : JSON.stringify(asked.body ?? {});
  const sent = request(
    {
      socketPath: socket,
      method: asked.method,
      path: asked.path,
      signal: AbortSignal.timeout(asked.patience ?? 10_000),
      headers: {
        host: 'localhost',
        ...(asked.method === 'POST'
          ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
          : {}),
        ...asked.headers,
      },
    },
    (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    },
  );
  sent.once('error', reject);
  sent.end(asked.method === 'POST' ? body : undefined);
  return promise;
}
