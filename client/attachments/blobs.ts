/** What is asked of the service that keeps attachments. docs/protocol/attachments.md §5 */
import {
  blobKeyHeader,
  blobRoutes,
  pathOfBlob,
  uploaded,
} from '@island/protocol/wire/blob-routes.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import type * as v from 'valibot';
import { Problem } from '../problem.ts';
import {
  type BlobAnswer,
  type BlobPart,
  type BlobRequest,
  faultOf,
  type Transport,
} from '../transport/transport.ts';

/** Bytes of an answer that is no blob. */
const longest = 65_536;

export async function beginBlob(
  transport: Transport,
  payment: { size: number; tokens: Uint8Array; deleteHash: Uint8Array },
  signal?: AbortSignal,
): Promise<{ id: Uint8Array; offset: number; expires: number }> {
  const { size, tokens, deleteHash } = payment;
  const body = { size, tokens: base64url(tokens), deleteHash: base64url(deleteHash) };
  return post(transport, 'beginBlob', blobRoutes.beginBlob.path, body, signal);
}

/** `blob_gone`: there is no such blob any more; `forbidden`: the key is another one's. */
export async function deleteBlob(
  transport: Transport,
  id: Uint8Array,
  key: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  await post(transport, 'deleteBlob', `${pathOfBlob(id)}/delete`, { key: base64url(key) }, signal);
}

/** Answers how many bytes are stored. Throws `upload_offset` when that is not where `part` belongs. */
export async function putPart(
  transport: Transport,
  at: { id: Uint8Array; key: Uint8Array; offset: number },
  part: BlobPart,
  signal?: AbortSignal,
): Promise<number> {
  const answer = await transport.blob({
    method: 'PUT',
    path: `${pathOfBlob(at.id)}?offset=${at.offset}`,
    headers: { [blobKeyHeader]: base64url(at.key) },
    part,
    ...(signal && { signal }),
  });
  const body = await readAll(answer, transport);
  return read(uploaded, body, transport).offset;
}

/** The bytes of a blob from `offset` on, as they come. */
export async function getFrom(
  transport: Transport,
  id: Uint8Array,
  offset: number,
  signal?: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const answer = await transport.blob({
    method: 'GET',
    path: pathOfBlob(id),
    ...(offset > 0 && { headers: { range: `bytes=${offset}-` } }),
    ...(signal && { signal }),
  });
  const wanted = offset > 0 ? 206 : 200;
  if (answer.status !== wanted) {
    await readAll(answer, transport);
    throw new Problem('not_an_island', { address: transport.address });
  }
  return answer.body;
}

async function post<N extends keyof typeof blobRoutes>(
  transport: Transport,
  name: N,
  path: string,
  body: v.InferInput<(typeof blobRoutes)[N]['request']>,
  signal?: AbortSignal,
): Promise<v.InferOutput<(typeof blobRoutes)[N]['answer']>> {
  const request: BlobRequest = {
    method: 'POST',
    path,
    body: utf8Bytes(JSON.stringify(body)),
    ...(signal && { signal }),
  };
  const answered = await readAll(await transport.blob(request), transport);
  return read(blobRoutes[name].answer, answered, transport) as v.InferOutput<
    (typeof blobRoutes)[N]['answer']
  >;
}

/** The body of an answer; throws what it says when it is a refusal. */
async function readAll(answer: BlobAnswer, { address }: Transport): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body) {
    length += part.length;
    if (length > longest) throw new Problem('not_an_island', { address });
    parts.push(part);
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  const { status, retryAfter } = answer;
  if (status !== 200) throw faultOf({ status, retryAfter, body }, address);
  return body;
}

function read<S extends v.GenericSchema>(
  schema: S,
  body: Uint8Array,
  { address }: Transport,
): v.InferOutput<S> {
  try {
    return decode(schema, JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)));
  } catch (cause) {
    throw new Problem('not_an_island', { address }, { cause });
  }
}
