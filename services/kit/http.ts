/**
 * The only door to koa: mounts a table of routes on handlers. Requests are bounded, decoded and
 * checked before a handler sees them; whatever a handler throws leaves as a code and a remedy,
 * never as its own text. docs/protocol/http.md
 */
import type { IncomingHttpHeaders, IncomingMessage, RequestListener } from 'node:http';
import { Fault, faults } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import Koa from 'koa';
import type * as v from 'valibot';
import { parseJson, readBody } from './http-body.ts';
import { clientAddress } from './http-server.ts';
import { failure, type Log } from './log.ts';

/** One row of a table such as `routes` of protocol/wire/routes.ts. */
export interface RouteRow {
  method: 'GET' | 'POST';
  /** `:name` stands for one segment. */
  path: string;
  auth: 'none' | 'token';
  request: v.GenericSchema;
  answer: v.GenericSchema;
}
export type RouteTable = Readonly<Record<string, RouteRow>>;

/** What a handler may know besides the request. */
export interface Asked<Who> {
  /** What `authenticate` made of the token; `undefined` on routes without. */
  who: Who;
  /** Segments of the path, percent-decoded, not checked. */
  params: Readonly<Record<string, string>>;
  headers: IncomingHttpHeaders;
  /** The client's address as the edge saw it; `undefined` for whoever is not behind the edge. */
  address: string | undefined;
}

/** A handler for each route that this process answers; the others are `not_found`. */
export type Handlers<T extends RouteTable, Who> = {
  [N in keyof T]?: (
    request: v.InferOutput<T[N]['request']>,
    asked: Asked<T[N]['auth'] extends 'token' ? Who : undefined>,
  ) => Promise<v.InferInput<T[N]['answer']>>;
};

/** A POST route with a binary body and an answer without one, such as `/v1/send`. */
export interface RawRoute {
  path: string;
  /** Bytes. */
  limit: number;
  /** Returns the HTTP status. */
  answer(body: Uint8Array, asked: Asked<undefined>): Promise<number>;
}

export interface MountOptions<Who> {
  /** Who holds the access token; @throws Fault `unauthenticated`, `token_expired`, … */
  authenticate(token: string): Promise<Who>;
  /**
   * Called first, before a token is looked at or a byte of the body is read, so that whoever is over
   * a limit costs next to nothing. `route` is the name of a row or the path of a raw route.
   * @throws Fault `rate_limited`
   */
  admit?(route: string, address: string | undefined): void;
  log: Log;
  raw?: readonly RawRoute[];
}

interface Mounted {
  method: string;
  pattern: RegExp;
  route: string;
  answer(request: IncomingMessage, params: Record<string, string>): Promise<Reply>;
}

interface Reply {
  status: number;
  json?: unknown;
}

const headers = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const;

/** The listener for `serveTls` or `serveUnix` (http-server.ts). */
export function mountRoutes<const T extends RouteTable, Who = never>(
  table: T,
  handlers: Handlers<T, Who>,
  options: MountOptions<Who>,
): RequestListener {
  const { log } = options;
  const mounted = [
    ...Object.entries(table).flatMap(([name, row]) => mountRow(name, row, handlers[name], options)),
    ...(options.raw ?? []).map(mountRaw),
  ];
  const app = new Koa();
  app.silent = true;
  app.on('error', (error: unknown) => log.info('http_answer_not_sent', failure(error)));
  app.use(async (context) => {
    context.set(headers);
    let route = 'none';
    try {
      const path = pathOf(context.req);
      const here = mounted.filter(({ pattern }) => pattern.test(path));
      if (here.length === 0) throw new Fault('not_found');
      const method = context.method === 'HEAD' ? 'GET' : context.method;
      const found = here.find((one) => one.method === method);
      if (found === undefined) {
        const allowed = here.flatMap((one) =>
          one.method === 'GET' ? ['GET', 'HEAD'] : [one.method],
        );
        context.set('Allow', [...allowed, 'OPTIONS'].join(', '));
        if (method !== 'OPTIONS') throw new Fault('method_not_allowed');
        context.status = 204;
        return;
      }
      route = found.route;
      options.admit?.(route, clientAddress(context.req));
      const { status, json } = await found.answer(context.req, paramsOf(found.pattern, path));
      context.status = status;
      if (json === undefined) context.body = null;
      else context.body = json;
      context.status = status;
    } catch (error) {
      const fault = error instanceof Fault ? error : new Fault('internal');
      if (!(error instanceof Fault)) log.error('request_failed', error, { route });
      if (fault.code === 'rate_limited') await drain(context.req);
      refuse(context, fault);
    }
  });
  return app.callback();
}

/** Reads the body that `admit` refused, if it is small: to close instead would cost the edge a handshake and the client its answer. */
async function drain(request: IncomingMessage): Promise<void> {
  if (!request.complete) await readBody(request, limits.sendBytes).catch(() => undefined);
}

function refuse(context: Koa.Context, { code, details }: Fault): void {
  const { status, text } = faults[code];
  context.status = status;
  context.body = details === undefined ? { code, text } : { code, text, details };
  if (status === 401) context.set('WWW-Authenticate', 'Bearer');
  if (code === 'rate_limited' || code === 'unavailable') {
    const seconds = details?.['seconds'];
    context.set(
      'Retry-After',
      String(typeof seconds === 'number' ? Math.max(1, Math.ceil(seconds)) : 1),
    );
  }
  // What was not read of the body must not be taken for the next request.
  if (!context.req.complete) context.set('Connection', 'close');
}

type AnyHandler = (request: unknown, asked: Asked<never>) => Promise<unknown>;

function mountRow<Who>(
  route: string,
  row: RouteRow,
  handler: unknown,
  { authenticate, log }: MountOptions<Who>,
): Mounted[] {
  if (handler === undefined) return [];
  const handle = handler as AnyHandler;
  return [
    {
      method: row.method,
      pattern: patternOf(row.path),
      route,
      async answer(request, params) {
        const who = row.auth === 'token' ? await authenticate(bearer(request)) : undefined;
        const input = decode(row.request, await readJson(request));
        const asked = { ...askedBy(request, params), who: who as never };
        const json = await handle(input, asked);
        try {
          decode(row.answer, json);
        } catch (cause) {
          log.error('answer_wrong', cause, { route });
          throw new Fault('internal');
        }
        return { status: 200, json };
      },
    },
  ];
}

const mountRaw = ({ path, limit, answer }: RawRoute): Mounted => ({
  method: 'POST',
  pattern: patternOf(path),
  route: path,
  async answer(request, params) {
    expectType(request, 'application/octet-stream');
    const body = await readBody(request, limit);
    return { status: await answer(body, { ...askedBy(request, params), who: undefined }) };
  },
});

const askedBy = (request: IncomingMessage, params: Record<string, string>) => ({
  params,
  headers: request.headers,
  address: clientAddress(request),
});

async function readJson(request: IncomingMessage): Promise<unknown> {
  if (request.method === 'POST') {
    expectType(request, 'application/json');
    return parseJson(await readBody(request, limits.jsonBytes));
  }
  if ((await readBody(request, 0)).length > 0) throw new Fault('malformed');
  return {};
}

function expectType(request: IncomingMessage, type: string): void {
  const given = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (given !== type || request.headers['content-encoding'] !== undefined)
    throw new Fault('malformed');
}

function bearer(request: IncomingMessage): string {
  const [, token] =
    /^Bearer ([A-Za-z0-9._~+/=-]{1,4096})$/.exec(request.headers.authorization ?? '') ?? [];
  if (token === undefined) throw new Fault('unauthenticated');
  return token;
}

/** No route takes a query: one that is there was meant for something else. */
function pathOf({ url = '' }: IncomingMessage): string {
  if (!url.startsWith('/')) throw new Fault('not_found');
  if (url.includes('?')) throw new Fault('malformed');
  return url;
}

function patternOf(path: string): RegExp {
  const escaped = path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/:([a-z]+)/g, '(?<$1>[^/]+)')}$`);
}

function paramsOf(pattern: RegExp, path: string): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [name, value] of Object.entries(pattern.exec(path)?.groups ?? {})) {
    try {
      params[name] = decodeURIComponent(value);
    } catch {
      throw new Fault('malformed');
    }
  }
  return params;
}

/** Bytes become base64url text, at any depth: from a bus answer to an HTTP answer. */
export type AsText<T> = T extends Uint8Array
  ? string
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends readonly (infer E)[]
      ? AsText<E>[]
      : { [K in keyof T]: AsText<T[K]> };

export function asText<T>(value: T): AsText<T>;
export function asText(value: unknown): unknown {
  if (value instanceof Uint8Array) return base64url(value);
  if (Array.isArray(value)) return value.map((one: unknown) => asText(one));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, asText(one)]));
}
