/** What people ask: registration, sign-in, sessions, second factors. docs/protocol/accounts.md */
import { roles } from '@island/protocol/wire/account-routes.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { enrolment } from '../directory/contract.ts';
import { defineCalls } from '../kit/contract.ts';
import { asker, callers, keeping, nonce, session, signature, tokens } from './call-parts.ts';

const kdf = v.strictObject({ memory: v.number(), passes: v.number(), lanes: v.number() });
const password = v.strictObject({ salt: s.bytes(16), kdf, auth: s.bytes(32), key: s.bytes(32) });
const shownPassword = v.strictObject({ auth: s.bytes(32), proof: signature });
const shownGrant = v.strictObject({ grant: s.bytes(32) });
const totp = v.strictObject({ totp: v.string() });
const code = v.strictObject({ code: v.strictObject({ loc: s.bytes(16), proof: s.bytes(32) }) });
const second = v.union([totp, code]);
/** `origin` is a keyed hash of the address, for attempt limits only. */
const origin = s.bytes(16);
const role = v.picklist(roles);

export const peopleCalls = defineCalls({
  nonce: { request: s.empty, answer: v.strictObject({ nonce }), callers },
  register: {
    request: v.strictObject({
      invite: v.optional(v.string()),
      credentials: v.union([password, shownGrant]),
      ...enrolment,
      ...keeping,
      nonce,
      deviceProof: signature,
      origin,
    }),
    answer: tokens,
    callers,
  },
  prelogin: {
    request: v.strictObject({ name: v.string() }),
    answer: v.strictObject({
      salt: s.bytes(16),
      kdf,
      codes: v.strictObject({ salt: s.bytes(16), kdf }),
    }),
    callers,
  },
  login: {
    request: v.strictObject({
      name: v.string(),
      credentials: v.union([shownPassword, shownGrant]),
      second: v.optional(second),
      device: s.device,
      nonce,
      deviceProof: signature,
      origin,
    }),
    answer: v.strictObject({ account: s.account, ...tokens.entries }),
    callers,
  },
  beginJoining: {
    request: v.strictObject({
      name: v.string(),
      credentials: v.union([shownPassword, shownGrant]),
      second: v.optional(second),
      nonce,
      origin,
    }),
    answer: v.strictObject({ account: s.account, joining: v.string() }),
    callers,
  },
  refresh: {
    request: v.strictObject({
      refresh: v.string(),
      attempt: v.optional(s.bytes(16)),
      nonce,
      deviceProof: signature,
    }),
    answer: tokens,
    callers,
  },
  logout: {
    request: v.strictObject({ account: s.account, session }),
    answer: s.empty,
    callers,
  },
  account: {
    request: v.strictObject(asker),
    answer: v.strictObject({
      name: v.string(),
      role,
      since: s.count,
      totp: v.boolean(),
      oidc: v.boolean(),
      codes: s.count,
      record: s.count,
      reset: v.optional(s.count),
    }),
    callers,
  },
  sessions: {
    request: v.strictObject(asker),
    answer: v.strictObject({
      sessions: v.array(
        v.strictObject({
          session,
          device: s.device,
          begun: s.count,
          used: s.count,
          current: v.boolean(),
        }),
      ),
    }),
    callers,
  },
  endSession: {
    request: v.strictObject({ ...asker, end: v.optional(session) }),
    answer: v.strictObject({ ended: s.count }),
    callers,
  },
  changePassword: {
    request: v.strictObject({
      ...asker,
      authority: v.union([shownPassword, code]),
      next: password,
      nonce,
      origin,
    }),
    answer: s.empty,
    callers,
  },
  /** The account is over, for good. docs/protocol/accounts.md §10 */
  endAccount: {
    request: v.strictObject({
      ...asker,
      credentials: v.union([shownPassword, shownGrant]),
      second: v.optional(second),
      nonce,
      origin,
    }),
    answer: s.empty,
    callers,
  },
  totpBegin: {
    request: v.strictObject(asker),
    answer: v.strictObject({ secret: v.string() }),
    callers,
  },
  totpConfirm: {
    request: v.strictObject({ ...asker, totp: v.string(), origin }),
    answer: s.empty,
    callers,
  },
  totpEnd: {
    request: v.strictObject({ ...asker, second, origin }),
    answer: s.empty,
    callers,
  },
  /** Public JWKs with their `kid`: current, next and those that recent tokens were signed with. */
  keys: {
    request: s.empty,
    answer: v.strictObject({ keys: v.array(v.record(v.string(), v.string())) }),
    callers,
  },
  /**
   * Sessions ended so lately that a token of theirs may live: for a gateway that may have missed events.
   * In the order of their ids, `endingsPerAnswer` of them: as many as that say that more may follow `after` the last.
   */
  endings: {
    request: v.strictObject({ after: v.optional(session) }),
    answer: v.strictObject({ sessions: v.array(session) }),
    callers,
  },
});
