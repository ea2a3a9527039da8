/** Routes of a person's archive. docs/protocol/archive.md */
import * as v from 'valibot';
import { limits } from './limits.ts';
import { route } from './route.ts';
import * as s from './schema.ts';

const segment = s.text64UpTo(limits.segmentBytes);

export const archiveRoutes = {
  archiveHead: route({
    method: 'GET',
    path: '/v1/archive',
    auth: 'token',
    request: s.empty,
    /** 0 and zeros when there is none. */
    answer: v.strictObject({ seq: s.count, hash: s.text64(32) }),
  }),
  /** The next segment. The same again changes nothing. */
  archiveAppend: route({
    method: 'POST',
    path: '/v1/archive',
    auth: 'token',
    request: v.strictObject({ segment }),
    answer: s.empty,
  }),
  /** Segments behind `:after`, ascending, as many as fit into one answer. */
  archiveRead: route({
    method: 'GET',
    path: '/v1/archive/:after',
    auth: 'token',
    request: s.empty,
    answer: v.strictObject({ segments: v.array(segment) }),
  }),
} as const;
