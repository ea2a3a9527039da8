/** Routes about people: who they are, how they sign in, which sessions they have. docs/protocol/accounts.md */
import * as v from 'valibot';
import { limits } from './limits.ts';
import { bearer, enrolment, kdf, keeping, nonce, route, salt, signature, tokens } from './route.ts';
import * as s from './schema.ts';

const auth = s.text64(32);
/** What the island keeps of a password. accounts.md §2 */
const password = v.strictObject({
  salt,
  kdf,
  auth,
  /** Public half of the password key. */
  key: s.text64(32),
});
const shownPassword = v.strictObject({ auth, proof: signature });
/** Good once, from `oidcPoll`. */
const shownGrant = v.strictObject({ grant: s.text64(32) });

const totp = v.strictObject({ totp: v.pipe(v.string(), v.regex(/^[0-9]{6}$/)) });
const code = v.strictObject({
  code: v.strictObject({ loc: s.text64(16), proof: s.text64(32) }),
});
const second = v.union([totp, code]);

/** 32 hex digits. */
const session = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));

/** How people may join an island. docs/protocol/accounts.md */
export const registrationModes = ['closed', 'invite', 'approval', 'open'] as const;
export type RegistrationMode = (typeof registrationModes)[number];

export const roles = ['member', 'moderator', 'admin'] as const;
export type Role = (typeof roles)[number];

export const accountRoutes = {
  /** What a signature that asks for a session must be over: good once, for `limits.nonceSeconds`. */
  nonce: route({
    method: 'GET',
    path: '/v1/nonce',
    auth: 'none',
    request: s.empty,
    answer: v.strictObject({ nonce }),
  }),
  register: route({
    method: 'POST',
    path: '/v1/register',
    auth: 'none',
    request: v.strictObject({
      /** Not needed where the island is open, or asks its operator. */
      invite: v.optional(v.pipe(v.string(), v.maxLength(64))),
      name: s.person,
      account: s.account,
      device: s.device,
      credentials: v.union([password, shownGrant]),
      ...enrolment,
      ...keeping,
      nonce,
      deviceProof: signature,
    }),
    answer: tokens,
  }),
  /** Salts and parameters of a name; for an unknown name steady invented ones, so that names can't be told. */
  prelogin: route({
    method: 'POST',
    path: '/v1/prelogin',
    auth: 'none',
    request: v.strictObject({ name: s.person }),
    answer: v.strictObject({ salt, kdf, codes: v.strictObject({ salt, kdf }) }),
  }),
  /** A session for a device that is on the list. */
  login: route({
    method: 'POST',
    path: '/v1/login',
    auth: 'none',
    request: v.strictObject({
      name: s.person,
      credentials: v.union([shownPassword, shownGrant]),
      second: v.optional(second),
      device: s.device,
      nonce,
      deviceProof: signature,
    }),
    answer: v.strictObject({ account: s.account, ...tokens.entries }),
  }),
  /** For somebody without a device: a token for the routes by which one joins. */
  beginJoining: route({
    method: 'POST',
    path: '/v1/joining',
    auth: 'none',
    request: v.strictObject({
      name: s.person,
      credentials: v.union([shownPassword, shownGrant]),
      second: v.optional(second),
      nonce,
    }),
    answer: v.strictObject({
      account: s.account,
      /** RS256 JWT, `limits.joiningSeconds` long. */
      joining: bearer,
    }),
  }),
  refresh: route({
    method: 'POST',
    path: '/v1/refresh',
    auth: 'none',
    request: v.strictObject({
      refresh: v.pipe(v.string(), v.maxLength(128)),
      /** Chosen and stored by the client before the exchange: the same attempt repeated after a lost answer is no re-use. accounts.md §4 */
      attempt: v.optional(s.text64(16)),
      nonce,
      deviceProof: signature,
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
  /** What the island knows of the asker. */
  account: route({
    method: 'GET',
    path: '/v1/account',
    auth: 'token',
    request: s.empty,
    answer: v.strictObject({
      name: s.person,
      role: v.picklist(roles),
      /** Day of registration, since 1970-01-01 UTC. */
      since: s.count,
      totp: v.boolean(),
      oidc: v.boolean(),
      /** Backup codes that are still good. */
      codes: s.count,
      /** Version of the key record. */
      record: s.count,
      /** Seconds until the reset that somebody asked for can be done. */
      reset: v.optional(s.count),
    }),
  }),
  sessions: route({
    method: 'GET',
    path: '/v1/sessions',
    auth: 'token',
    request: s.empty,
    answer: v.strictObject({
      sessions: v.array(
        v.strictObject({
          session,
          device: s.device,
          /** Days since 1970-01-01 UTC. */
          begun: s.count,
          used: s.count,
          current: v.boolean(),
        }),
      ),
    }),
  }),
  /** Ends one session of the asker; without `session` all but the one that asks. */
  endSession: route({
    method: 'POST',
    path: '/v1/sessions/end',
    auth: 'token',
    request: v.strictObject({ session: v.optional(session) }),
    answer: v.strictObject({ ended: s.count }),
  }),
  /** Ends all other sessions, too. */
  changePassword: route({
    method: 'POST',
    path: '/v1/password',
    auth: 'token',
    request: v.strictObject({
      authority: v.union([shownPassword, code]),
      next: password,
      nonce,
    }),
    answer: s.empty,
  }),
  /** Ends the account of the asker, who shows what signs in: for good. docs/protocol/accounts.md §10 */
  endAccount: route({
    method: 'POST',
    path: '/v1/account/end',
    auth: 'token',
    request: v.strictObject({
      credentials: v.union([shownPassword, shownGrant]),
      second: v.optional(second),
      nonce,
    }),
    answer: s.empty,
  }),
  /** A new secret for six-digit sign-in, in force from `totpConfirm` on. */
  totpBegin: route({
    method: 'POST',
    path: '/v1/totp',
    auth: 'token',
    request: s.empty,
    /** Base32, as authenticators take it. */
    answer: v.strictObject({ secret: v.pipe(v.string(), v.regex(/^[A-Z2-7]{16,64}$/)) }),
  }),
  totpConfirm: route({
    method: 'POST',
    path: '/v1/totp/confirm',
    auth: 'token',
    request: totp,
    answer: s.empty,
  }),
  totpEnd: route({
    method: 'POST',
    path: '/v1/totp/end',
    auth: 'token',
    request: v.strictObject({ second }),
    answer: s.empty,
  }),
  /** Begins a sign-in with the organisation: `url` is for the person's browser, `flow` is kept by the client. */
  oidcBegin: route({
    method: 'POST',
    path: '/v1/oidc',
    auth: 'none',
    request: s.empty,
    answer: v.strictObject({ url: v.pipe(v.string(), v.maxLength(4096)), flow: s.text64(32) }),
  }),
  oidcPoll: route({
    method: 'POST',
    path: '/v1/oidc/poll',
    auth: 'none',
    request: v.strictObject({
      flow: s.text64(32),
      /** As the page in the browser shows them at the end. */
      digits: v.optional(v.pipe(v.string(), v.regex(/^[0-9]{6}$/))),
    }),
    answer: v.strictObject({
      /** For the right digits. Without them the answer says that the browser is back. */
      grant: v.optional(s.text64(32)),
      /** What the organisation calls the person, if that is a name here. */
      name: v.optional(v.pipe(v.string(), v.maxLength(limits.nameCharacters))),
    }),
  }),
} as const;
