/**
 * The supervisor's door for the operator: HTTP over a unix socket (0600).
 *
 *     GET  /status      → StatusReport
 *     GET  /rotation    → RotationStatus
 *     POST /rotation    → RotationStatus      begins one; { text } with 409 when it can't
 */
import { Stated } from '@island/provisioning/stated.ts';
import { serveUnix } from '@island/services/kit/http-server.ts';
import type { Supervisor } from './supervise.ts';

/** Listens on `path` until disposed. What lies there from a former run is replaced. */
export const openSupervisorSocket = (
  path: string,
  supervisor: Pick<Supervisor, 'status' | 'keys'>,
): Promise<AsyncDisposable> => {
  const { keys } = supervisor;
  const answers: Readonly<Record<string, () => Promise<object>>> = {
    'GET /status': () => supervisor.status(),
    'GET /rotation': async () => keys.status(),
    'POST /rotation': () => keys.begin(),
  };
  return serveUnix({
    path,
    listener(request, response) {
      request.resume();
      const asked = `${request.method} ${request.url}`;
      const answer = Object.hasOwn(answers, asked) ? answers[asked] : undefined;
      if (answer === undefined) {
        response.writeHead(404).end();
        return;
      }
      const write = (status: number, body: object) =>
        response
          .writeHead(status, { 'content-type': 'application/json' })
          .end(JSON.stringify(body));
      answer().then(
        (body) => write(200, body),
        (error: unknown) =>
          error instanceof Stated ? write(409, { text: error.message }) : write(500, {}),
      );
    },
  });
};
