/**
 * Attachments on the island: what is asked of the service that keeps them. docs/protocol/attachments.md §5
 *
 * None of these carries a token of a session or a cookie; all go over the connections without a
 * session. Bytes of a blob travel as they are, under `blobPath`: `PUT` and `GET` are not JSON.
 */
import * as v from 'valibot';
import { limits } from './limits.ts';
import { route } from './route.ts';
import * as s from './schema.ts';
import { base64url } from './text.ts';
import { tokenBytes } from './token.ts';

/** Bytes of what a blob is called by, and of the key that continues its upload and deletes it. */
export const blobIdBytes = 16;
export const blobKeyBytes = 16;

/** The island stores a blob in pieces of so many bytes; an upload stops and goes on between pieces. */
export const blobPieceBytes = 65_536;

const mostTokens = Math.ceil(limits.blobBytes / limits.blobBytesPerToken);

export const blobRoutes = {
  /** Pays for `size` bytes. Asked again with the same request it answers the same blob, and how far it is. */
  beginBlob: route({
    method: 'POST',
    path: '/v1/blobs',
    auth: 'none',
    request: v.strictObject({
      size: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
      /** Media tokens, one after the other: `tokensFor(size)` of them. */
      tokens: s.text64UpTo(mostTokens * tokenBytes),
      /** SHA-256 of the key that continues the upload and deletes the blob. */
      deleteHash: s.text64(32),
    }),
    answer: v.strictObject({
      id: s.text64(blobIdBytes),
      /** Bytes that are stored. */
      offset: s.count,
      /** Unix day after which the blob is deleted. */
      expires: s.count,
    }),
  }),
  deleteBlob: route({
    method: 'POST',
    path: '/v1/blobs/:id/delete',
    auth: 'none',
    request: v.strictObject({ key: s.text64(blobKeyBytes) }),
    answer: s.empty,
  }),
} as const;

/** `PUT ?offset=N`, with the key in the header `blob-key`; `GET` with or without a range; `HEAD`. */
export const blobPath = '/v1/blobs/:id';
export const blobKeyHeader = 'blob-key';
/** What `HEAD` says of an upload that is under way, to whoever has its key. */
export const uploadOffsetHeader = 'upload-offset';

export const pathOfBlob = (id: Uint8Array): string => blobPath.replace(':id', base64url(id));

/** Throws `malformed` for what is no name of a blob. */
export function readBlobId(text: string | undefined): Uint8Array {
  return s.decode(s.text64(blobIdBytes), text);
}

/** Tokens that a blob of `size` bytes costs. */
export const tokensFor = (size: number): number => Math.ceil(size / limits.blobBytesPerToken);

/** Answer to a `PUT`. */
export const uploaded = v.strictObject({ offset: s.count });
