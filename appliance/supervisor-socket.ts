/** The supervisor's door for the operator: HTTP over a unix socket (0600). `GET /status` → StatusReport. */
import { serveUnix } from '@island/services/kit/http-server.ts';
import type { StatusReport } from './status-report.ts';

/** Listens on `path` until disposed. What lies there from a former run is replaced. */
export const openSupervisorSocket = (
  path: string,
  status: () => Promise<StatusReport>,
): Promise<AsyncDisposable> =>
  serveUnix({
    path,
    listener(request, response) {
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
  });
