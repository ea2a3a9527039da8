/**
 * The door of `media`: begin, put, get, delete. docs/protocol/attachments.md §5
 *
 * Nobody says here who they are: a request with a session's token or a cookie is refused, as on
 * `/v1/send`. Limits count by address, of which only a hash under a key of this process is kept.
 */
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import type { Readable } from 'node:stream';
import {
  blobKeyBytes,
  blobKeyHeader,
  blobPath,
  blobRoutes,
  readBlobId,
  uploadOffsetHeader,
} from '@island/protocol/wire/blob-routes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import * as s from '@island/protocol/wire/schema.ts';
import { addressLimit } from '../kit/address-limit.ts';
import { type AskedBytes, asText, type ByteReply, mountRoutes } from '../kit/http.ts';
import type { Log } from '../kit/log.ts';
import type { Files } from './files.ts';
import { rangeOf } from './range.ts';
import { steady } from './steady.ts';
import type { Uploads } from './uploads.ts';

export function publicHttp(parts: { uploads: Uploads; files: Files; log: Log }): RequestListener {
  const { uploads, files, log } = parts;
  const request = addressLimit({
    perSecond: limits.blobRequestsPerSecond,
    burst: limits.blobRequestsBurst,
  });
  const nobody = () => Promise.reject(new Fault('unauthenticated'));

  return mountRoutes(
    blobRoutes,
    {
      async beginBlob(given, { headers }) {
        anonymous(headers);
        return asText(await uploads.begin(given));
      },
      async deleteBlob({ key }, { headers, params }) {
        anonymous(headers);
        await uploads.remove(readBlobId(params['id']), key);
        return {};
      },
    },
    {
      authenticate: { token: nobody, joining: nobody, either: nobody },
      admit: (_route, address) => request(address),
      log,
      bytes: [
        {
          methods: ['PUT', 'GET', 'HEAD'],
          path: blobPath,
          async answer(asked) {
            anonymous(asked.headers);
            if (asked.method === 'PUT') return put(uploads, asked);
            if (asked.query !== '') throw new Fault('malformed');
            return asked.method === 'HEAD' ? head(uploads, asked) : get(uploads, files, asked);
          },
        },
      ],
    },
  );
}

/** A client that says here who it is has a mistake in it: refused, so that nobody ships it. */
function anonymous(headers: IncomingHttpHeaders): void {
  if (headers.authorization !== undefined || headers.cookie !== undefined)
    throw new Fault('malformed');
}

async function put(uploads: Uploads, asked: AskedBytes): Promise<ByteReply> {
  const { params, headers, query, body } = asked;
  try {
    const [, offset] = /^offset=(0|[1-9]\d{0,15})$/.exec(query) ?? [];
    const length = headers['content-length'];
    if (offset === undefined || length === undefined) throw new Fault('malformed');
    const part = { offset: Number(offset), length: Number(length) };
    const id = readBlobId(params['id']);
    const stored = await uploads.put({ id, key: keyOf(headers), ...part }, steady(body));
    return { status: 200, body: { offset: stored } };
  } catch (error) {
    // To close instead would cost the edge a handshake and the client its answer.
    if (Number(headers['content-length']) <= limits.blobChunkBytes) await drain(body);
    throw error;
  }
}

/** Whoever has the key learns how far the upload is; others, how much there is to get. */
async function head(uploads: Uploads, { params, headers }: AskedBytes): Promise<ByteReply> {
  const id = readBlobId(params['id']);
  const mine = headers[blobKeyHeader] !== undefined;
  const { size, stored } = mine ? await uploads.own(id, keyOf(headers)) : await uploads.whole(id);
  return {
    status: 200,
    headers: {
      'Content-Type': 'application/octet-stream',
      ...(mine ? { [uploadOffsetHeader]: String(stored) } : { 'Content-Length': String(size) }),
    },
  };
}

async function get(uploads: Uploads, files: Files, asked: AskedBytes): Promise<ByteReply> {
  const id = readBlobId(asked.params['id']);
  const { size } = await uploads.whole(id);
  const range = rangeOf(asked.headers.range, size);
  if (range === undefined) {
    return { status: 416, headers: { 'Content-Range': `bytes */${size}` } };
  }
  const { from, to, partial } = range;
  return {
    status: partial ? 206 : 200,
    headers: {
      'Content-Type': 'application/octet-stream',
      'Content-Length': String(to - from),
      'Accept-Ranges': 'bytes',
      ...(partial && { 'Content-Range': `bytes ${from}-${to - 1}/${size}` }),
    },
    bytes: files.read(id, from, to),
  };
}

const keyOf = (headers: IncomingHttpHeaders): Uint8Array =>
  s.decode(s.text64(blobKeyBytes), headers[blobKeyHeader]);

/** What is left of a refused body, which the edge is still sending. */
async function drain(body: Readable): Promise<void> {
  try {
    for await (const _ of steady(body));
  } catch {
    // Whoever stopped sending waits for no answer.
  }
}
