/** Identity of people: names, passwords, invites, sessions. */
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { enrolment } from '../directory/contract.ts';
import { defineContract } from '../kit/contract.ts';
import { dnsName } from '../kit/names.ts';

/**
 * The access token (A5): JWT, RS256, `limits.accessSeconds` long. Claims: `sub` AccountId, `dev` DeviceId (number),
 * `sid` session, `iat`, `exp`, `jti`, `iss`, `aud`; header `kid` names one of the keys that `keys` answers.
 */
export const accessToken = {
  algorithm: 'RS256',
  issuer: dnsName('accounts'),
  audience: dnsName('gateway'),
} as const;

const kdf = v.strictObject({ memory: v.number(), passes: v.number(), lanes: v.number() });
const tokens = v.strictObject({ access: v.string(), refresh: v.string() });
/** A session is a refresh-token family of one device. */
const session = v.string();

export const accounts = defineContract({
  service: 'accounts',
  cache: true,
  calls: {
    register: {
      request: v.strictObject({
        invite: v.string(),
        salt: s.bytes(16),
        kdf,
        auth: s.bytes(32),
        ...enrolment,
      }),
      answer: tokens,
      callers: ['gateway'],
    },
    prelogin: {
      request: v.strictObject({ name: v.string() }),
      answer: v.strictObject({ salt: s.bytes(16), kdf }),
      callers: ['gateway'],
    },
    login: {
      /** `origin` is a keyed hash of the address, for attempt limits only. */
      request: v.strictObject({
        name: v.string(),
        auth: s.bytes(32),
        device: s.device,
        origin: s.bytes(16),
      }),
      answer: v.strictObject({ account: s.account, ...tokens.entries }),
      callers: ['gateway'],
    },
    refresh: {
      request: v.strictObject({ refresh: v.string(), attempt: v.optional(s.bytes(16)) }),
      answer: tokens,
      callers: ['gateway'],
    },
    logout: {
      request: v.strictObject({ account: s.account, session }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /** Public JWKs with their `kid`: current, next and those that recent tokens were signed with. */
    keys: {
      request: s.empty,
      answer: v.strictObject({ keys: v.array(v.record(v.string(), v.string())) }),
      callers: ['gateway'],
    },
    /** A new invite code; `expires` in Unix seconds. */
    invite: {
      request: v.strictObject({
        uses: v.pipe(s.count, v.minValue(1), v.maxValue(1000)),
        seconds: s.count,
      }),
      answer: v.strictObject({ invite: v.string(), expires: s.count }),
      callers: ['control'],
    },
    /** How many people have joined; whether a given invite is still good. */
    standing: {
      request: v.strictObject({ invite: v.optional(v.string()) }),
      answer: v.strictObject({ people: s.count, inviteGood: v.boolean() }),
      callers: ['control'],
    },
  },
  events: {
    /** key: AccountId. A session was ended: its sockets close. */
    ended: { payload: v.strictObject({ session }), listeners: ['gateway'] },
  },
});
