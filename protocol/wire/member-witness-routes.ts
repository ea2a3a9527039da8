/**
 * Routes of a device that witnesses the log of its own island: what it is to sign, and what it says to that. They carry
 * the key and no name: on this side nothing of who asks is kept. docs/protocol/transparency.md §7.6
 */
import * as v from 'valibot';
import { memberVkeyMax } from '../transparency/member-witness.ts';
import { limits } from './limits.ts';
import { route } from './route.ts';
import * as s from './schema.ts';

/** Verifier key of c2sp.org/signed-note, as the policy has it. */
export const memberVkey = v.pipe(v.string(), v.maxLength(memberVkeyMax));
/** One signature line of a note. */
export const memberLine = v.pipe(v.string(), v.maxLength(512));
/** A signed checkpoint. */
export const memberNote = v.pipe(v.string(), v.maxLength(limits.witnessRequestBytes));

export const memberWitnessRoutes = {
  /** The body of add-checkpoint (c2sp.org/tlog-witness) from this size on; nothing where nothing is to be signed. */
  witnessRequest: route({
    method: 'POST',
    path: '/v1/witness/request',
    auth: 'token',
    request: v.strictObject({ vkey: memberVkey, old: s.count }),
    answer: v.strictObject({ request: v.optional(v.string()) }),
  }),
  /** The signature for the checkpoint of that size. */
  witnessSignature: route({
    method: 'POST',
    path: '/v1/witness/signature',
    auth: 'token',
    request: v.strictObject({ vkey: memberVkey, size: s.count, signature: memberLine }),
    answer: s.empty,
  }),
  /** In its place: a larger checkpoint than that, which the log has signed. */
  witnessNewest: route({
    method: 'POST',
    path: '/v1/witness/newest',
    auth: 'token',
    request: v.strictObject({ vkey: memberVkey, newest: memberNote }),
    answer: s.empty,
  }),
} as const;
