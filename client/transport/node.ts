/**
 * The transport of Node: undici over TLS that trusts one root certificate and nothing else, with the
 * host name checked. docs/protocol/http.md §1
 *
 * A pool of connections for each purpose, and one for each person that anything is sent to (lanes.ts).
 * Those for sealed sending and for attachments keep no TLS sessions and no cookies, so the island sees
 * nothing that joins them to the first, or to each other.
 */
import type { Duplex } from 'node:stream';
import { limits } from '@island/protocol/wire/limits.ts';
import { sendPath } from '@island/protocol/wire/routes.ts';
import { Agent, buildConnector, type Dispatcher, WebSocket } from 'undici';
import type { Pinned } from '../platform.ts';
import { Problem } from '../problem.ts';
import { openLanes } from './lanes.ts';
import type {
  BlobAnswer,
  BlobPart,
  BlobRequest,
  HttpAnswer,
  Socket,
  Transport,
} from './transport.ts';

/** Milliseconds. */
const timeouts = { connect: 10_000, answer: 30_000, whole: 120_000, goodbye: 2_000 };
/** The largest answer: 32 bundles with their one-time prekeys. */
const answerBytes = 1_048_576;

/** Frames of a socket that nobody has read yet: an honest island sends `limits.socketWindow`, and a few short ones. */
const waitingFrames = limits.socketWindow * 4;

/** Bytes: of the chunks of a part each but the last has as many, so that none is written behind another. */
const leastChunk = 16_384;

/** `whole`: milliseconds that a request may take with its answer. */
export function nodeTransport(
  { address, root }: Pinned,
  { whole = timeouts.whole }: { whole?: number } = {},
): Transport {
  const common = {
    allowH2: false,
    headersTimeout: timeouts.answer,
    bodyTimeout: timeouts.answer,
    maxResponseSize: answerBytes,
  };
  // A WebSocket wants HTTP/1.1, and one protocol for all is enough.
  const tls = {
    ca: root,
    timeout: timeouts.connect,
    minVersion: 'TLSv1.2' as const,
    allowH2: false,
  };
  const session = new Agent({ ...common, connect: tls, connections: 4 });
  const lanes = openLanes({ ...common, connect: tls });
  // Their answers are as large as attachments are, and may take as long as they move at all.
  // A chunk of a part is written to the end before the next is asked for, because it is more than the mark.
  const unbuffered = { ...tls, maxCachedSessions: 0, highWaterMark: leastChunk };
  const blobs = new Agent({
    ...common,
    maxResponseSize: -1,
    connect: unbuffered,
    connections: 4,
  });

  async function askBlob({ signal, ...request }: BlobRequest): Promise<BlobAnswer> {
    const { method, path, headers, part } = request;
    const made = part && watched(part);
    const problem = (error: unknown): unknown => {
      if (signal?.aborted) return signal.reason;
      return made?.failure ? made.failure.error : connectionProblem(address, error);
    };
    const type = method === 'POST' ? 'application/json' : 'application/octet-stream';
    // undici takes anything that can be iterated; its types do not say so.
    const body = (made?.chunks ?? request.body) as Uint8Array | undefined;
    try {
      const answer = await blobs.request({
        origin: address,
        method,
        path,
        headers: {
          ...(body !== undefined && { 'content-type': type }),
          ...(part && { 'content-length': String(part.length) }),
          ...headers,
        },
        ...(body !== undefined && { body }),
        ...(signal && { signal }),
      });
      const after = Number(answer.headers['retry-after'] ?? Number.NaN);
      return {
        status: answer.statusCode,
        retryAfter: after >= 0 ? after : undefined,
        body: (async function* () {
          try {
            yield* answer.body as AsyncIterable<Uint8Array>;
          } catch (error) {
            throw problem(error);
          }
        })(),
      };
    } catch (error) {
      throw problem(error);
    }
  }

  async function ask(agent: Agent, options: Dispatcher.RequestOptions): Promise<HttpAnswer> {
    // An answer that trickles keeps every other timeout, and would keep the caller for ever.
    const late = AbortSignal.timeout(whole);
    const { signal } = options;
    const either = signal instanceof AbortSignal ? AbortSignal.any([signal, late]) : late;
    try {
      const answer = await agent.request({ ...options, origin: address, signal: either });
      const body = new Uint8Array(await answer.body.arrayBuffer());
      const after = Number(answer.headers['retry-after'] ?? Number.NaN);
      return { status: answer.statusCode, retryAfter: after >= 0 ? after : undefined, body };
    } catch (error) {
      if (options.signal instanceof AbortSignal) options.signal.throwIfAborted();
      throw connectionProblem(address, error);
    }
  }

  return {
    address,
    request: ({ method, path, body, token, signal }) =>
      ask(session, {
        method,
        path,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        ...(body !== undefined && { body }),
        ...(signal && { signal }),
      }),
    apart: ({ method, path, body, lane, signal }) =>
      lanes.on(lane, (agent) =>
        ask(agent, {
          method,
          path,
          ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
          ...(signal && { signal }),
        }),
      ),
    send: (body, { lane, signal } = {}) =>
      lanes.on(lane, (agent) =>
        ask(agent, {
          method: 'POST',
          path: sendPath,
          headers: { 'content-type': 'application/octet-stream' },
          body,
          ...(signal && { signal }),
        }),
      ),
    blob: askBlob,
    socket: (path, signal) => openSocket(address, path, tls, signal),
    async [Symbol.asyncDispose]() {
      await Promise.all([session.destroy(), lanes[Symbol.asyncDispose](), blobs.destroy()]);
    },
  };
}

/** The chunks of a part, and what they threw: undici would tell it as a line that broke. */
function watched(part: BlobPart): {
  chunks: AsyncIterable<Uint8Array>;
  readonly failure: { error: unknown } | undefined;
} {
  let failure: { error: unknown } | undefined;
  async function* chunks(): AsyncGenerator<Uint8Array, void> {
    try {
      yield* part.chunks;
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  return {
    chunks: chunks(),
    get failure() {
      return failure;
    },
  };
}

function openSocket(
  address: string,
  path: string,
  tls: buildConnector.BuildOptions,
  signal?: AbortSignal,
): Promise<Socket> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  // The WebSocket does not say why it could not connect; the connector under it does.
  let refusal: Error | null = null;
  let line: Duplex | null = null;
  const connector = buildConnector(tls);
  const agent = new Agent({
    allowH2: false,
    // Of what the frame announces, and of what a compressed one grows to: refused before it is in memory.
    webSocket: { maxPayloadSize: limits.frameBytes * 2 },
    connect: (options, done) =>
      connector(options, (...outcome) => {
        [refusal, line] = outcome;
        done(...outcome);
      }),
  });
  const socket = new WebSocket(address.replace(/^https/, 'wss') + path, { dispatcher: agent });
  socket.binaryType = 'arraybuffer';
  const waiting: Uint8Array[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  let code = 1006;

  const end = () => {
    ended = true;
    wake?.();
  };
  const cut = () => {
    end();
    socket.close();
    line?.destroy();
  };
  const onAbort = () => {
    end();
    socket.close();
    // The other side may never answer the goodbye.
    setTimeout(cut, timeouts.goodbye).unref();
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  const connecting = setTimeout(() => socket.close(), timeouts.connect);

  async function* frames(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = waiting.shift();
      if (next) yield next;
      else if (ended) return;
      else
        await new Promise<void>((woken) => {
          wake = woken;
        });
    }
  }

  socket.addEventListener('open', () => {
    clearTimeout(connecting);
    resolve({
      send: (frame) => socket.send(frame.slice()),
      close: onAbort,
      cut,
      frames: frames(),
      get code() {
        return code;
      },
    });
  });
  socket.addEventListener('message', ({ data }) => {
    // Text and oversize frames are not of this protocol.
    if (ended) return;
    if (!(data instanceof ArrayBuffer) || data.byteLength > limits.frameBytes * 2) return cut();
    if (waiting.length === waitingFrames) return cut();
    waiting.push(new Uint8Array(data));
    wake?.();
  });
  socket.addEventListener('error', end);
  socket.addEventListener('close', (event) => {
    clearTimeout(connecting);
    signal?.removeEventListener('abort', onAbort);
    code = event.code;
    reject(signal?.aborted ? signal.reason : connectionProblem(address, refusal));
    end();
    void agent.destroy();
  });
  return promise;
}

/** OpenSSL's and Node's names for a certificate that the pinned root does not vouch for. */
const untrusted =
  /^(?:ERR_TLS_CERT_ALTNAME_INVALID|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_|CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERR_TLS_PINNED)/;

export function connectionProblem(address: string, error: unknown): Problem {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && untrusted.test(cause.code)) {
      return new Problem('untrusted', { address }, { cause: error });
    }
  }
  return new Problem('unreachable', { address }, { cause: error });
}
