/**
 * Every HTTP route of the client API: method, path, who may ask, request and answer. docs/protocol/http.md
 * JSON bodies, bytes as base64url. `POST /v1/send` is the exception: binary, see `send.ts`.
 */
import * as v from 'valibot';
import { limits } from './limits.ts';
import * as s from './schema.ts';

/** Argon2id parameters of the client's password hash. docs/protocol/accounts.md §2 */
export const kdf = v.strictObject({
  /** KiB. */
  memory: v.pipe(v.number(), v.integer(), v.minValue(8), v.maxValue(4_194_304)),
  passes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(64)),
  lanes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(16)),
});

export const tokens = v.strictObject({
  /** RS256 JWT, `limits.accessSeconds` long. */
  access: v.pipe(v.string(), v.maxLength(2048)),
  /** `limits.refreshSeconds` long, good for one exchange. */
  refresh: v.pipe(v.string(), v.maxLength(128)),
});

/** Bytes that a signed structure may have, at most: with room for what later versions add. */
export const structureBytes = {
  list: 4096,
  signedPrekey: 512,
  lastResort: 2048,
  oneTime: 2048,
  batch: 180_000,
} as const;

/** What a new device publishes: every field is a signed structure of docs/protocol/devices.md and prekeys.md. */
export const enrolment = {
  /** DeviceList, signed by the account identity key. */
  list: s.text64UpTo(structureBytes.list),
  /** HMAC under DH(DIK, challenge): proves the device holds its DIK. devices.md §3 */
  proof: s.text64(32),
  /** The challenge the proof answers. */
  challenge: s.text64(32),
  signedPrekey: s.text64UpTo(structureBytes.signedPrekey),
  lastResort: s.text64UpTo(structureBytes.lastResort),
  batch: s.text64UpTo(structureBytes.batch),
};

const salt = s.text64(16);
const auth = s.text64(32);
const bundle = v.strictObject({
  device: s.device,
  signedPrekey: s.text64UpTo(structureBytes.signedPrekey),
  /** OneTimePrekey with its Merkle path; in its place, when the batch is exhausted or the daily limit reached, the last resort. */
  oneTime: v.optional(s.text64UpTo(structureBytes.oneTime)),
  lastResort: v.optional(s.text64UpTo(structureBytes.lastResort)),
});

interface RouteRow {
  method: 'GET' | 'POST';
  path: string;
  /** `token`: needs `Authorization: Bearer`. */
  auth: 'none' | 'token';
  request: v.GenericSchema;
  answer: v.GenericSchema;
}
const route = <const R extends RouteRow>(row: R): R => row;

export const routes = {
  discovery: route({
    method: 'GET',
    path: '/.well-known/island',
    auth: 'none',
    request: s.empty,
    answer: v.object({
      name: v.string(),
      versions: v.array(v.number()),
      registration: v.picklist(['closed', 'invite', 'approval', 'open']),
      /** SHA-256 of the root certificate (DER), base64url. */
      caFingerprint: s.text64(32),
      limits: v.record(v.string(), v.number()),
      kdf,
    }),
  }),
  challenge: route({
    method: 'GET',
    path: '/v1/challenge',
    auth: 'none',
    request: s.empty,
    answer: v.strictObject({ challenge: s.text64(32) }),
  }),
  register: route({
    method: 'POST',
    path: '/v1/register',
    auth: 'none',
    request: v.strictObject({
      invite: v.pipe(v.string(), v.maxLength(64)),
      name: s.person,
      account: s.account,
      device: s.device,
      salt,
      kdf,
      auth,
      ...enrolment,
    }),
    answer: tokens,
  }),
  /** Salt and parameters of a name; for an unknown name a steady invented salt, so that names can't be told. */
  prelogin: route({
    method: 'POST',
    path: '/v1/prelogin',
    auth: 'none',
    request: v.strictObject({ name: s.person }),
    answer: v.strictObject({ salt, kdf }),
  }),
  login: route({
    method: 'POST',
    path: '/v1/login',
    auth: 'none',
    request: v.strictObject({ name: s.person, auth, device: s.device }),
    answer: v.strictObject({ account: s.account, ...tokens.entries }),
  }),
  refresh: route({
    method: 'POST',
    path: '/v1/refresh',
    auth: 'none',
    request: v.strictObject({
      refresh: v.pipe(v.string(), v.maxLength(128)),
      /** Chosen and stored by the client before the exchange: the same attempt repeated after a lost answer is no re-use. accounts.md §4 */
      attempt: v.optional(s.text64(16)),
    }),
    answer: tokens,
  }),
  logout: route({
    method: 'POST',
    path: '/v1/logout',
    auth: 'token',
    request: s.empty,
    answer: s.empty,
  }),
  /** The signed device list of a person by name. */
  person: route({
    method: 'GET',
    path: '/v1/people/:name',
    auth: 'token',
    request: s.empty,
    answer: v.strictObject({ account: s.account, list: s.text64UpTo(structureBytes.list) }),
  }),
  /** One prekey bundle for each device asked for. */
  bundles: route({
    method: 'POST',
    path: '/v1/bundles',
    auth: 'token',
    request: v.strictObject({
      account: s.account,
      devices: v.pipe(v.array(s.device), v.minLength(1), v.maxLength(limits.devices)),
    }),
    answer: v.strictObject({ bundles: v.array(bundle) }),
  }),
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

/** Where sealed envelopes go: no session, no cookie, a connection of its own. docs/protocol/dm.md §6 */
export const sendPath = '/v1/send';
export const socketPath = '/v1/socket';
