/** A platform that keeps what a client sends, so that a check can look for what must not be in it, or send it again. */
import type { Platform } from '@island/client/platform.ts';
import type { BlobPart, HttpRequest, Transport } from '@island/client/transport/transport.ts';

export interface Sent {
  method: 'GET' | 'POST' | 'PUT' | 'SOCKET';
  path: string;
  token: string | undefined;
  /** Empty for a GET. */
  body: Uint8Array;
}

export interface Recording {
  /** Everything sent so far, newest last. */
  sent: Sent[];
  /** What Argon2id made of passwords and codes, before anything else was. */
  hashes: Uint8Array[];
}

/** `base`, and into `kept` whatever goes through it. */
export const recording = (base: Platform, { sent, hashes }: Recording): Platform => ({
  ...base,
  async argon2id(...args) {
    const hash = await base.argon2id(...args);
    // A copy: the SDK wipes what it is given.
    hashes.push(new Uint8Array(hash));
    return hash;
  },
  transport: (pinned) => remembering(base.transport(pinned), sent),
});

function remembering(transport: Transport, sent: Sent[]): Transport {
  const keep = (
    method: Sent['method'],
    path: string,
    body: Uint8Array | undefined,
    token?: string,
  ): void => {
    sent.push({ method, path, token, body: new Uint8Array(body ?? []) });
  };
  /** Kept when it ends, which it does also where the line breaks. */
  const copied = (method: Sent['method'], path: string, part: BlobPart): BlobPart => ({
    ...part,
    chunks: (async function* () {
      const sent: Buffer[] = [];
      try {
        for await (const chunk of part.chunks) {
          sent.push(Buffer.from(chunk));
          yield chunk;
        }
      } finally {
        keep(method, path, Buffer.concat(sent));
      }
    })(),
  });
  return {
    address: transport.address,
    request(request: HttpRequest) {
      const { method, path, body, token } = request;
      keep(method, path, body === undefined ? undefined : Buffer.from(body), token);
      return transport.request(request);
    },
    apart(request) {
      const { method, path, body } = request;
      keep(method, path, body === undefined ? undefined : Buffer.from(body));
      return transport.apart(request);
    },
    send(body, way) {
      keep('POST', '/v1/send', body);
      return transport.send(body, way);
    },
    blob(request) {
      const { method, path, body, part } = request;
      if (part === undefined) keep(method, path, body);
      return transport.blob({ ...request, ...(part && { part: copied(method, path, part) }) });
    },
    async socket(path, signal) {
      const socket = await transport.socket(path, signal);
      return {
        get code() {
          return socket.code;
        },
        frames: socket.frames,
        close: () => socket.close(),
        cut: () => socket.cut(),
        send(frame) {
          keep('SOCKET', path, frame);
          socket.send(frame);
        },
      };
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}
