/** The supervisor's door for the operator: HTTP over a unix socket (0600). `GET /status` → StatusReport. */
import { chmod, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { StatusReport } from './status-report.ts';

export async function openSupervisorSocket(
  path: string,
  status: () => Promise<StatusReport>,
): Promise<AsyncDisposable> {
  const server = createServer(
    { requestTimeout: 5000, headersTimeout: 5000 },
    (request, response) => {
      request.resume();
      if (request.method !== 'GET' || request.url !== '/status') {
        response.writeHead(404).end();
        return;
      }
      status().then(
        (report) =>
          response
            .writeHead(200, { 'content-type': 'application/json' })
            .end(JSON.stringify(report)),
        () => response.writeHead(500).end(),
      );
    },
  );
  await rm(path, { force: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(path, resolve);
  await promise;
  await chmod(path, 0o600);
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}
