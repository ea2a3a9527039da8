/** Bodies of HTTP requests: bounded while they arrive, then strict JSON. docs/protocol/http.md §2 */
import type { IncomingMessage } from 'node:http';
import { Fault } from '@island/protocol/wire/fault.ts';

/** Arrays and objects inside one another; our requests need three. */
const deepest = 16;
/** Values in one text; our requests need forty. Strings cost next to nothing to parse, a quarter of a megabyte of little objects 30 ms. */
const mostValues = 1000;

/**
 * The whole body, at most `limit` bytes. Does not read past the limit and leaves the socket usable for the refusal.
 * @throws Fault `too_large`; `truncated` when the other side stops before the end
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limit) throw new Fault('too_large');
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const chunks: Buffer[] = [];
  let length = 0;
  const receive = (chunk: Buffer): void => {
    length += chunk.length;
    if (length > limit) {
      request.pause();
      reject(new Fault('too_large'));
    } else chunks.push(chunk);
  };
  const fail = (): void => reject(new Fault('truncated'));
  const end = (): void => {
    // Every request closes before whoever awaits this goes on: a Fault for each would cost its stack.
    request.off('close', fail);
    resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length));
  };
  request.on('data', receive).once('end', end).once('error', fail).once('close', fail);
  try {
    return await promise;
  } finally {
    request.off('data', receive).off('end', end).off('close', fail);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws Fault `malformed`: not UTF-8, not JSON, or nested deeper or of more parts than any request of the protocol */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    const text = utf8.decode(bytes);
    if (!isPlain(text)) throw new Fault('malformed');
    const value: unknown = JSON.parse(text);
    // Bodies are objects: a list would pass for one without any field.
    if (Array.isArray(value)) throw new Fault('malformed');
    return value;
  } catch {
    throw new Fault('malformed');
  }
}

/** Whether a JSON text, valid or not, is cheap to parse: its nesting and its parts are bounded. */
function isPlain(text: string): boolean {
  let depth = 0;
  let values = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (quoted) {
      if (character === 0x5c) at++;
      else if (character === 0x22) quoted = false;
    } else if (character === 0x22) quoted = true;
    else if (character === 0x2c) values++;
    else if (character === 0x7b || character === 0x5b) {
      values++;
      if (++depth > deepest) return false;
    } else if (character === 0x7d || character === 0x5d) depth--;
    if (values > mostValues) return false;
  }
  return true;
}
