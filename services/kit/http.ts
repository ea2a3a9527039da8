/**
 * The only door to koa: mounts a table of routes on handlers. Requests are bounded, decoded and
 * checked before a handler sees them; whatever a handler throws leaves as a code and a remedy,
 * never as its own text. docs/protocol/http.md
 */
import type {
  IncomingHttpHeaders,
  IncomingMessage,
  RequestListener,
  ServerResponse,
} from 'node:http';
import { Fault, faults } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { RouteAuth, RouteRow } from '@island/protocol/wire/route.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import Koa from 'koa';
import type * as v from 'valibot';
import { parseJson, readBody } from './http-body.ts';
import { type Page, pageHtml } from './http-page.ts';
import { pour } from './http-pour.ts';
import { clientAddress } from './http-server.ts';
import { failure, type Log } from './log.ts';

/** A table such as `routes` of protocol/wire/routes.ts. */
export type RouteTable = Readonly<Record<string, RouteRow>>;

/** What `authenticate` makes of each kind of token. */
export interface Askers {
  token: unknown;
  joining: unknown;
}
type WhoOf<A extends RouteAuth, W extends Askers> = {
  none: undefined;
  token: W['token'];
  joining: W['joining'];
  either: W['token'] | W['joining'];
}[A];

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
export type Handlers<T extends RouteTable, W extends Askers> = {
  [N in keyof T]?: (
    request: v.InferOutput<T[N]['request']>,
    asked: Asked<WhoOf<T[N]['auth'], W>>,
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

/**
 * An address whose bodies are bytes: in either direction nobody has to hold them in memory as a whole. It may take a
 * query. What is posted there may be of any type: others' protocols have their own.
 */
export interface ByteRoute {
  methods: readonly ('GET' | 'HEAD' | 'PUT' | 'POST')[];
  path: string;
  answer(asked: AskedBytes): Promise<ByteReply>;
}

export interface AskedBytes extends Asked<undefined> {
  method: string;
  /** What follows the question mark, not decoded. */
  query: string;
  /** Has to be read to its end, or the connection closes behind the answer. */
  body: IncomingMessage;
}

export interface ByteReply {
  status: number;
  headers?: Readonly<Record<string, string>>;
  /** JSON. */
  body?: Readonly<Record<string, unknown>>;
  /** Bytes as they come, each chunk given away; ended when the asker goes away. */
  bytes?: AsyncIterable<Uint8Array>;
}

/** A GET address for a browser: takes a query, answers one page. Its refusals are pages too. */
export interface PageRoute {
  path: string;
  /** @param query what follows the question mark, not decoded */
  answer(query: string, asked: Asked<undefined>): Promise<Page>;
}

export interface MountOptions<W extends Askers> {
  /**
   * Who holds the token, for each `auth` of a route: a token made for another is no token at all.
   * @throws Fault `unauthenticated`, `token_expired`, …
   */
  authenticate: {
    readonly [A in Exclude<RouteAuth, 'none'>]: (token: string) => Promise<WhoOf<A, W>>;
  };
  /**
   * Called first, before a token is looked at or a byte of the body is read, so that whoever is over
   * a limit costs next to nothing. `route` is the name of a row or the path of another route.
   * @throws Fault `rate_limited`
   */
  admit?(route: string, address: string | undefined): void;
  log: Log;
  raw?: readonly RawRoute[];
  pages?: readonly PageRoute[];
  bytes?: readonly ByteRoute[];
}

interface Mounted {
  methods: readonly string[];
  pattern: RegExp;
  route: string;
  /** Whether a person reads the answer: it is HTML then, also when it is a refusal. */
  page: boolean;
  /** Whether it may have a query. */
  query?: boolean;
  answer(request: IncomingMessage, params: Record<string, string>, query: string): Promise<Reply>;
}

interface Reply {
  status: number;
  headers?: Readonly<Record<string, string>>;
  /** JSON of an object, HTML of a text. */
  body?: unknown;
  /** In place of a body. */
  bytes?: AsyncIterable<Uint8Array>;
}

const headers = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const;

/** The listener for `serveTls` or `serveUnix` (http-server.ts). */
export function mountRoutes<const T extends RouteTable, W extends Askers>(
  table: T,
  handlers: Handlers<T, W>,
  options: MountOptions<W>,
): RequestListener {
  const { log } = options;
  const mounted = [
    ...Object.entries(table).flatMap(([name, row]) => mountRow(name, row, handlers[name], options)),
    ...(options.raw ?? []).map(mountRaw),
    ...(options.pages ?? []).map(mountPage),
    ...(options.bytes ?? []).map(mountBytes),
  ];
  /** What went wrong before koa saw the request. */
  const failed = new WeakMap<IncomingMessage, { error: unknown }>();
  const app = new Koa();
  app.silent = true;
  app.on('error', (error: unknown) => log.info('http_answer_not_sent', failure(error)));
  app.use(async (context) => {
    context.set(headers);
    let found: Mounted | undefined;
    try {
      const { path, query } = addressOf(context.req);
      const here = mounted.filter(({ pattern }) => pattern.test(path));
      // Few routes take a query: one that is there was meant for something else.
      if (query !== undefined && !here.some((each) => each.page || each.query))
        throw new Fault('malformed');
      if (here.length === 0) throw new Fault('not_found');
      found = here.find(({ methods }) => methods.includes(context.method));
      if (found === undefined) {
        const allowed = here.flatMap(({ methods }) => methods);
        context.set('Allow', [...allowed, 'OPTIONS'].join(', '));
        if (context.method !== 'OPTIONS') throw new Fault('method_not_allowed');
        context.status = 204;
        return;
      }
      const before = failed.get(context.req);
      if (before !== undefined) throw before.error;
      options.admit?.(found.route, clientAddress(context.req));
      const params = paramsOf(found.pattern, path);
      const reply = await found.answer(context.req, params, query ?? '');
      const { status, headers, body, bytes } = reply;
      if (bytes !== undefined) {
        context.respond = false;
        context.res.writeHead(status, headers);
        // An answer that began can't be refused any more: it breaks off.
        await pour(context.res, bytes).catch((error: unknown) => {
          log.info('http_answer_not_sent', failure(error));
          context.res.destroy();
        });
        return;
      }
      context.status = status;
      context.body = body ?? null;
      context.status = status;
      if (headers !== undefined) context.set(headers);
    } catch (error) {
      const fault = error instanceof Fault ? error : new Fault('internal');
      if (!(error instanceof Fault))
        log.error('request_failed', error, { route: found?.route ?? 'none' });
      if (fault.code === 'rate_limited') await drain(context.req);
      refuse(context, fault, found?.page ?? false);
    }
  });
  const others = app.callback();
  const raw = new Map((options.raw ?? []).map((route) => [route.path, mountRaw(route)]));

  /** A good one is answered without koa, which costs as much as all the rest of it; a refusal is koa's. */
  async function answerRaw(found: Mounted, request: IncomingMessage, response: ServerResponse) {
    try {
      options.admit?.(found.route, clientAddress(request));
      const { status } = await found.answer(request, {}, '');
      response.writeHead(status, { ...headers, 'Content-Length': '0' }).end();
    } catch (error) {
      failed.set(request, { error });
      others(request, response);
    }
  }

  return (request, response) => {
    const found = request.method === 'POST' ? raw.get(request.url ?? '') : undefined;
    if (found === undefined) others(request, response);
    else void answerRaw(found, request, response);
  };
}

/** Reads the body that `admit` refused, if it is small: to close instead would cost the edge a handshake and the client its answer. */
async function drain(request: IncomingMessage): Promise<void> {
  if (!request.complete) await readBody(request, limits.sendBytes).catch(() => undefined);
}

function refuse(context: Koa.Context, { code, details }: Fault, page: boolean): void {
  const { status, text } = faults[code];
  context.status = status;
  if (page) context.body = pageHtml({ status, title: 'That did not work', text });
  else context.body = details === undefined ? { code, text } : { code, text, details };
  if (status === 401) context.set('WWW-Authenticate', 'Bearer');
  if (code === 'rate_limited' || code === 'tokens_exhausted' || code === 'unavailable') {
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

function mountRow<W extends Askers>(
  route: string,
  row: RouteRow,
  handler: unknown,
  { authenticate, log }: MountOptions<W>,
): Mounted[] {
  if (handler === undefined) return [];
  const handle = handler as AnyHandler;
  return [
    {
      methods: row.method === 'GET' ? ['GET', 'HEAD'] : [row.method],
      pattern: patternOf(row.path),
      route,
      page: false,
      async answer(request, params) {
        const who = row.auth === 'none' ? undefined : await authenticate[row.auth](bearer(request));
        const input = decode(row.request, await readJson(request));
        const asked = { ...askedBy(request, params), who: who as never };
        const json = await handle(input, asked);
        try {
          decode(row.answer, json);
        } catch (cause) {
          log.error('answer_wrong', cause, { route });
          throw new Fault('internal');
        }
        return { status: 200, body: json };
      },
    },
  ];
}

const mountRaw = ({ path, limit, answer }: RawRoute): Mounted => ({
  methods: ['POST'],
  pattern: patternOf(path),
  route: path,
  page: false,
  async answer(request, params) {
    expectType(request, 'application/octet-stream');
    const body = await readBody(request, limit);
    return { status: await answer(body, { ...askedBy(request, params), who: undefined }) };
  },
});

/** GET alone: a HEAD of whoever looks ahead would use up what the query is good for. */
const mountPage = ({ path, answer }: PageRoute): Mounted => ({
  methods: ['GET'],
  pattern: patternOf(path),
  route: path,
  page: true,
  async answer(request, params, query) {
    await readNothing(request);
    const page = await answer(query, { ...askedBy(request, params), who: undefined });
    return { status: page.status, body: pageHtml(page) };
  },
});

const mountBytes = ({ methods, path, answer }: ByteRoute): Mounted => ({
  methods,
  pattern: patternOf(path),
  route: path,
  page: false,
  query: true,
  async answer(request, params, query) {
    if (request.method === 'PUT') expectType(request, 'application/octet-stream');
    else if (request.method === 'POST') expectPlain(request);
    else await readNothing(request);
    const { method = '' } = request;
    const asked = { ...askedBy(request, params), who: undefined };
    return answer({ ...asked, method, query, body: request });
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
  await readNothing(request);
  return {};
}

async function readNothing(request: IncomingMessage): Promise<void> {
  if ((await readBody(request, 0)).length > 0) throw new Fault('malformed');
}

function expectType(request: IncomingMessage, type: string): void {
  const given = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (given !== type) throw new Fault('malformed');
  expectPlain(request);
}

/** Neither compressed nor anything else that the limit of its bytes would not bound. */
function expectPlain(request: IncomingMessage): void {
  if (request.headers['content-encoding'] !== undefined) throw new Fault('malformed');
}

function bearer(request: IncomingMessage): string {
  const [, token] =
    /^Bearer ([A-Za-z0-9._~+/=-]{1,4096})$/.exec(request.headers.authorization ?? '') ?? [];
  if (token === undefined) throw new Fault('unauthenticated');
  return token;
}

function addressOf({ url = '' }: IncomingMessage): { path: string; query: string | undefined } {
  if (!url.startsWith('/')) throw new Fault('not_found');
  const mark = url.indexOf('?');
  return mark === -1
    ? { path: url, query: undefined }
    : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

/** `:name` stands for one segment, `*name` at the end for all that follow. */
function patternOf(path: string): RegExp {
  const escaped = path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const segments = escaped.replace(/:([a-z]+)/g, '(?<$1>[^/]+)');
  return new RegExp(`^${segments.replace(/\\\*([a-z]+)$/, '(?<$1>.+)')}$`);
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
