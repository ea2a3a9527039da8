/**
 * HTTP for operators over a unix socket that only the island's user can open. docs/operations.md §8
 *
 *     POST /invites { uses, seconds } → { invite, expires }
 *     GET  /standing[?invite=CODE]    → { people, inviteGood }
 *     POST /setup-token               → { setupToken }     null once it was used
 *     POST /first-invite              → { invite }         null once somebody has joined
 *
 * Refusals are { code, text } with the status of the fault table.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault, faults } from '@island/protocol/wire/fault.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { accounts } from '../accounts/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { serveUnix } from '../kit/http-server.ts';
import type { Log } from '../kit/log.ts';
import type { ControlStore } from './database.ts';
import { showFirstInvite } from './first-invite.ts';
import { showSetupToken } from './setup-token.ts';

const bodyBytes = 4096;
const year = 31_536_000;

const inviteRequest = v.strictObject({
  uses: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 1),
  seconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(60), v.maxValue(year)), 604_800),
});
const none = v.strictObject({});
const standingQuery = v.strictObject({ invite: v.optional(v.pipe(v.string(), v.maxLength(64))) });

export interface OperatorDoor {
  bus: Bus;
  store: ControlStore;
  log: Log;
  /** Paths of the 0600 files. */
  files: { setupToken: string; firstInvite: string };
}

type Action = (door: OperatorDoor, input: unknown) => Promise<object>;
interface OperatorRoute {
  method: 'GET' | 'POST';
  act: Action;
}

const routes: Readonly<Record<string, OperatorRoute>> = {
  '/invites': {
    method: 'POST',
    act: ({ bus }, input) => bus.call(accounts, 'invite', decode(inviteRequest, input)),
  },
  '/standing': {
    method: 'GET',
    act({ bus }, input) {
      const { invite } = decode(standingQuery, input);
      return bus.call(accounts, 'standing', invite === undefined ? {} : { invite });
    },
  },
  '/setup-token': {
    method: 'POST',
    async act({ store, files }, input) {
      decode(none, input);
      return { setupToken: (await showSetupToken(store, files.setupToken)) ?? null };
    },
  },
  '/first-invite': {
    method: 'POST',
    async act({ bus, files }, input) {
      decode(none, input);
      return { invite: (await showFirstInvite(bus, files.firstInvite)) ?? null };
    },
  },
};

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
  const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
  if (route === undefined) throw new Fault('not_found');
  if (request.method !== route.method) throw new Fault('method_not_allowed');
  if (route.method === 'GET') return route.act(door, Object.fromEntries(url.searchParams));
  return route.act(door, await readJson(request));
}

/** No body counts as an empty object. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > bodyBytes) throw new Fault('too_large');
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
