/**
 * How a client reaches its island. docs/protocol/http.md, docs/protocol/dm.md §6
 *
 * Ways that share nothing: `request` may carry the access token; `send` and `blob` carry nothing that
 * names who sends (no token, no cookie, other connections), so that the island can't tell (M2).
 * Implementations: node.ts. Nothing here trusts an answer: schemas decide.
 */
import { Fault, type FaultDetails, isFaultCode } from '@island/protocol/wire/fault.ts';
import {
  type Answer,
  type RequestText,
  type RouteName,
  routes,
} from '@island/protocol/wire/routes.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { Problem } from '../problem.ts';

export interface HttpRequest {
  method: 'GET' | 'POST';
  path: string;
  /** JSON text. */
  body?: string;
  /** Access token. */
  token?: string;
  signal?: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  /** Seconds, from `Retry-After`. */
  retryAfter: number | undefined;
  body: Uint8Array;
}

/** Where no session is. */
export interface Way {
  /** Whom it is about: connections are shared with nothing about anybody else. Without, with nothing at all. */
  lane?: string;
  signal?: AbortSignal;
}

/** About an attachment. docs/protocol/attachments.md §5 */
export interface BlobRequest {
  method: 'GET' | 'PUT' | 'POST';
  path: string;
  headers?: Readonly<Record<string, string>>;
  /** JSON of a `POST`. */
  body?: Uint8Array;
  /** Of a `PUT`. */
  part?: BlobPart;
  signal?: AbortSignal;
}

/** Bytes that are made while they are sent. */
export interface BlobPart {
  /** Of all chunks together. */
  length: number;
  /** Each belongs to whoever gives it again when the next is asked for. What they throw, the request throws. */
  chunks: AsyncIterable<Uint8Array>;
}

export interface BlobAnswer {
  status: number;
  /** Seconds, from `Retry-After`. */
  retryAfter: number | undefined;
  /** As it comes; throws `unreachable` when it breaks off. Has to be read, or left by `return`. */
  body: AsyncIterable<Uint8Array>;
}

export interface Socket {
  send(frame: Uint8Array): void;
  /** Says goodbye; no more frames are given out. */
  close(): void;
  /** Ends at once: there is nobody to say goodbye to. */
  cut(): void;
  /** Every frame that arrives; ends with the connection. `code` is then its close code. */
  frames: AsyncIterable<Uint8Array>;
  readonly code: number;
}

export interface Transport extends AsyncDisposable {
  /** `https://host[:port]`. */
  readonly address: string;
  /** Throws `unreachable` or `untrusted` (Problem) when there is no answer. */
  request(request: HttpRequest): Promise<HttpAnswer>;
  /** A route that anybody may ask, on a connection without a session: who asks is not said. */
  apart(request: Omit<HttpRequest, 'token'> & Way): Promise<HttpAnswer>;
  /** The body of `POST /v1/send`, on a connection without a session. */
  send(body: Uint8Array, way?: Way): Promise<HttpAnswer>;
  /** Asks the service that keeps attachments, on connections that carry nothing else. */
  blob(request: BlobRequest): Promise<BlobAnswer>;
  socket(path: string, signal?: AbortSignal): Promise<Socket>;
}

export interface CallOptions {
  token?: string;
  /** Values of `:name` in the path. */
  path?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

/**
 * Asks a route. Throws the island's `Fault`, `unavailable` when something between us and the island
 * answers for it, or a Problem (`unreachable`, `untrusted`, `not_an_island`).
 */
export async function call<N extends RouteName>(
  transport: Transport,
  name: N,
  request: RequestText<N>,
  options: CallOptions = {},
): Promise<Answer<N>> {
  const { method, path } = routes[name];
  const answered = await transport.request({
    method,
    path: path.replace(/:(\w+)/g, (_, key: string) =>
      encodeURIComponent(options.path?.[key] ?? ''),
    ),
    ...(method === 'POST' && { body: JSON.stringify(request) }),
    ...(options.token !== undefined && { token: options.token }),
    ...(options.signal && { signal: options.signal }),
  });
  return readAnswer(transport, name, answered);
}

/** The same for a route that anybody may ask, over a connection that nobody is signed in on. */
export async function callApart<N extends RouteName>(
  transport: Transport,
  name: N,
  request: RequestText<N>,
  way: Way = {},
): Promise<Answer<N>> {
  const { method, path } = routes[name];
  const answered = await transport.apart({
    method,
    path,
    ...(method === 'POST' && { body: JSON.stringify(request) }),
    ...way,
  });
  return readAnswer(transport, name, answered);
}

function readAnswer<N extends RouteName>(
  { address }: Transport,
  name: N,
  answered: HttpAnswer,
): Answer<N> {
  if (answered.status !== 200) throw faultOf(answered, address);
  try {
    return decode(routes[name].answer, JSON.parse(text.decode(answered.body))) as Answer<N>;
  } catch (cause) {
    throw new Problem('not_an_island', { address }, { cause });
  }
}

/** Sends sealed envelopes. Resolves once the island has committed them; throws as `call` does. */
export async function sendSealed(
  transport: Transport,
  body: Uint8Array,
  way: Way = {},
): Promise<void> {
  const answered = await transport.send(body, way);
  if (answered.status !== 202) throw faultOf(answered, transport.address);
}

const text = new TextDecoder('utf-8', { fatal: true });

const refusal = v.object({
  code: v.custom<keyof typeof import('@island/protocol/wire/fault.ts').faults>(isFaultCode),
  details: v.optional(v.record(v.string(), v.union([v.number(), v.array(v.number())]))),
});

/** How long the island asked to wait, milliseconds; remembered beside the fault, not in it. */
const waits = new WeakMap<Error, number>();
export const retryAfter = (error: unknown): number | undefined =>
  error instanceof Error ? waits.get(error) : undefined;

/** What an answer other than the wanted one says: the island's `Fault`, or a Problem. */
export function faultOf(answer: HttpAnswer, address: string): Error {
  const error = read(answer, address);
  if (answer.retryAfter !== undefined) waits.set(error, answer.retryAfter * 1000);
  return error;
}

function read(answer: HttpAnswer, address: string): Error {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.decode(answer.body));
  } catch {
    parsed = undefined;
  }
  const known = v.safeParse(refusal, parsed);
  if (known.success) return new Fault(known.output.code, known.output.details as FaultDetails);
  // The edge answers for a gateway that is away, in its own words.
  if (answer.status >= 500 || answer.status === 429) return new Fault('unavailable');
  return new Problem('not_an_island', { address });
}
