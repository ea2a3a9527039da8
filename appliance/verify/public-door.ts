/** What anybody gets from the island over HTTPS, with its root and without an account: path, status, type and body as they come. */
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { routes, type SaidLog } from '@island/protocol/wire/routes.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import type { Scene } from './scene.ts';

export interface Said {
  status: number;
  /** Without parameters. */
  type: string;
  body: Uint8Array;
}

export interface PublicDoor extends Disposable {
  get(path: string): Promise<Said>;
  post(path: string, body: Uint8Array): Promise<Said>;
  /** A file below /log/. Throws where it is not there. */
  file(path: string): Promise<Uint8Array>;
  log(): Promise<SaidLog>;
}

/** Milliseconds. */
const patience = 15_000;

export async function openPublicDoor({ layout, status }: Scene): Promise<PublicDoor> {
  const ca = await readFile(join(layout.pki, 'root.crt'));
  const agent = new Agent({ ca, keepAlive: true, maxSockets: 4 });

  async function ask(method: 'GET' | 'POST', path: string, body?: Uint8Array): Promise<Said> {
    const { promise, resolve, reject } = Promise.withResolvers<Said>();
    const signal = AbortSignal.timeout(patience);
    const asked = request(new URL(path, status.address), { method, agent, signal });
    asked.once('error', reject);
    asked.once('response', (response) => {
      const type = response.headers['content-type']?.split(';', 1)[0] ?? '';
      buffer(response).then(
        (bytes) =>
          resolve({ status: response.statusCode ?? 0, type, body: Uint8Array.from(bytes) }),
        reject,
      );
    });
    asked.end(body);
    return promise;
  }

  return {
    get: (path) => ask('GET', path),
    post: (path, body) => ask('POST', path, body),
    async file(path) {
      const { status, body } = await ask('GET', `/log/${path}`);
      if (status !== 200) throw new Error(`/log/${path} is answered with ${status}`);
      return body;
    },
    async log() {
      const { body } = await ask('GET', '/.well-known/island');
      const { log } = decode(routes.discovery.answer, JSON.parse(Buffer.from(body).toString()));
      return log;
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}
