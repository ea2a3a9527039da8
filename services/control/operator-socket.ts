/**
 * HTTP for operators over a unix socket that only the island's user can open: one JSON body, one JSON
 * answer. docs/operations.md §8. Refusals are { code, text } with the status of the fault table.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault, faults } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { serveUnix } from '../kit/http-server.ts';
import type { Log } from '../kit/log.ts';
import { type OperatorParts, operatorRoutes } from './operator-routes.ts';

const bodyBytes = 8192;
/** What takes a whole text: as a JSON string it may be twice as long. */
const texts = new Set(['/witness/cosign', '/witness/take', '/witness/policy']);
const textBytes = 2 * limits.witnessRequestBytes + 1024;

export interface OperatorDoor extends OperatorParts {
  log: Log;
}

/** Listens on `path` until disposed. What lies there from a former run is replaced. */
export const openOperatorSocket = (path: string, door: OperatorDoor): Promise<AsyncDisposable> =>
  serveUnix({
    path,
    listener(request, response) {
      void answer(door, request).then(
        (body) => write(response, 200, body),
        (error: unknown) => refuse(door.log, response, error),
      );
    },
  });

async function answer(door: OperatorDoor, request: IncomingMessage): Promise<object> {
  const url = new URL(request.url ?? '/', 'http://control');
  if (!Object.hasOwn(operatorRoutes, url.pathname)) throw new Fault('not_found');
  const { GET, POST } = operatorRoutes[url.pathname] ?? {};
  if (request.method === 'GET' && GET !== undefined)
    return GET(door, Object.fromEntries(url.searchParams));
  if (request.method === 'POST' && POST !== undefined) {
    const most = texts.has(url.pathname) ? textBytes : bodyBytes;
    return POST(door, await readJson(request, most));
  }
  throw new Fault('method_not_allowed');
}

/** No body counts as an empty object. */
async function readJson(request: IncomingMessage, most: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > most) throw new Fault('too_large');
    chunks.push(chunk);
  }
  if (length === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new Fault('malformed');
  }
}

function refuse(log: Log, response: ServerResponse, error: unknown): void {
  if (!(error instanceof Fault)) log.error('operator_request_failed', error);
  const code = error instanceof Fault ? error.code : 'internal';
  write(response, faults[code].status, { code, text: faults[code].text });
}

function write(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes.length,
  });
  response.end(bytes);
}
