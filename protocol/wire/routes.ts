/**
 * Every HTTP route of the client API: method, path, who may ask, request and answer. docs/protocol/http.md
 * JSON bodies, bytes as base64url. `POST /v1/send` is the exception: binary, see `send.ts`.
 */
import * as v from 'valibot';
import { accountRoutes, registrationModes } from './account-routes.ts';
import { archiveRoutes } from './archive-routes.ts';
import { deviceRoutes } from './device-routes.ts';
import { lookupRoutes } from './lookup-routes.ts';
import { memberWitnessRoutes } from './member-witness-routes.ts';
import { messageRoutes } from './message-routes.ts';
import { enrolment, kdf, route } from './route.ts';
import * as s from './schema.ts';
import { spaceRoutes } from './space-routes.ts';

export const routes = {
  discovery: route({
    method: 'GET',
    path: '/.well-known/island',
    auth: 'none',
    request: s.empty,
    answer: v.object({
      name: v.string(),
      versions: v.array(v.number()),
      registration: v.picklist(registrationModes),
      /** SHA-256 of the root certificate (DER), base64url. */
      caFingerprint: s.text64(32),
      /** Public half of the root of sender certificates: clients keep the one they saw first. dm.md §9 */
      senderRoot: s.text64(32),
      limits: v.record(v.string(), v.number()),
      kdf,
      /** Days that things are kept, by name. */
      retention: v.record(v.string(), v.number()),
      /** What clients pin of the log of keys. transparency.md §6 */
      log: v.object({
        /** Verifier key of c2sp.org/signed-note; its name is the origin of the log. */
        vkey: v.string(),
        vrf: s.text64(32),
        /** c2sp.org/tlog-policy, and the how manieth of this log. */
        policy: v.string(),
        policyNumber: s.count,
        /** Index of the OPERATOR entry that announced it. */
        policyEntry: s.count,
        /** Whether the policy asks for any witness. */
        witnessed: v.boolean(),
        /** The log that this one was begun in place of: nobody takes it over unasked. transparency.md §6.7 */
        follows: v.optional(
          v.object({ vkey: v.string(), size: s.count, root: s.text64(32), seen: s.count }),
        ),
      }),
      /** What the organisation's own sign-in is called, where there is one. */
      oidc: v.optional(v.string()),
    }),
  }),
  ...accountRoutes,
  ...deviceRoutes,
  ...archiveRoutes,
  ...messageRoutes,
  ...lookupRoutes,
  ...memberWitnessRoutes,
  ...spaceRoutes,
  prekeyCount: route({
    method: 'GET',
    path: '/v1/prekeys',
    auth: 'token',
    request: s.empty,
    answer: v.strictObject({ oneTime: s.count }),
  }),
  replenish: route({
    method: 'POST',
    path: '/v1/prekeys',
    auth: 'token',
    request: v.strictObject({
      signedPrekey: v.optional(enrolment.signedPrekey),
      lastResort: v.optional(enrolment.lastResort),
      batch: v.optional(enrolment.batch),
    }),
    answer: v.strictObject({ oneTime: s.count }),
  }),
} as const;

export type RouteName = keyof typeof routes;
/** What a client writes and an island answers (bytes as text), and what a client reads (bytes as bytes). */
export type RequestText<N extends RouteName> = v.InferInput<(typeof routes)[N]['request']>;
export type AnswerText<N extends RouteName> = v.InferInput<(typeof routes)[N]['answer']>;
export type Answer<N extends RouteName> = v.InferOutput<(typeof routes)[N]['answer']>;

/** What an island says of its own log. */
export type SaidLog = Answer<'discovery'>['log'];

/** Where sealed envelopes go: no session, no cookie, a connection of its own. docs/protocol/dm.md §6 */
export const sendPath = '/v1/send';
export const socketPath = '/v1/socket';
