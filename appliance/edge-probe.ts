/** Whether a client could be served: the discovery document, over TLS checked against the island's root. */
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Island } from '@island/provisioning/island-file.ts';
import type { Layout } from '@island/provisioning/layout.ts';

/** Rejects unless the edge answers 200. */
export async function edgeAnswers(layout: Layout, island: Island): Promise<void> {
  const ca = await readFile(join(layout.pki, 'root.crt'), 'utf8');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const asked = request(
    {
      host: '127.0.0.1',
      port: island.port,
      path: '/.well-known/island',
      ...(isIP(island.host) === 0 ? { servername: island.host } : {}),
      headers: { host: island.host },
      ca,
      agent: false,
      signal: AbortSignal.timeout(3000),
    },
    (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`the edge answered ${response.statusCode}`));
    },
  );
  asked.once('error', reject);
  asked.end();
  await promise;
}
