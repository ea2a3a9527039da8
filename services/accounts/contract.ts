/** Identity of people: names, passwords, second factors, sessions, invites, and the record of their keys. */
import { roles } from '@island/protocol/wire/account-routes.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { nonceBytes } from '@island/protocol/wire/route.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { enrolment } from '../directory/contract.ts';
import { defineContract } from '../kit/contract.ts';
import { dnsName } from '../kit/names.ts';

/**
 * The access token (A5): JWT, RS256, `limits.accessSeconds` long. Claims: `sub` AccountId, `dev` DeviceId (number),
 * `sid` session, `iat`, `exp`, `jti`, `iss`, `aud`; header `kid` names one of the keys that `keys` answers.
 * The joining token is the same with another audience, `limits.joiningSeconds` long, and without `dev`.
 */
export const accessToken = {
  algorithm: 'RS256',
  issuer: dnsName('accounts'),
  audience: dnsName('gateway'),
  joiningAudience: `joining.${dnsName('gateway')}`,
} as const;

const kdf = v.strictObject({ memory: v.number(), passes: v.number(), lanes: v.number() });
const tokens = v.strictObject({ access: v.string(), refresh: v.string() });
/** A session is a refresh-token family of one device. */
const session = v.string();
const nonce = s.bytes(nonceBytes);
const signature = s.bytes(64);

const password = v.strictObject({ salt: s.bytes(16), kdf, auth: s.bytes(32), key: s.bytes(32) });
const shownPassword = v.strictObject({ auth: s.bytes(32), proof: signature });
const shownGrant = v.strictObject({ grant: s.bytes(32) });
const totp = v.strictObject({ totp: v.string() });
const code = v.strictObject({ code: v.strictObject({ loc: s.bytes(16), proof: s.bytes(32) }) });
const second = v.union([totp, code]);

const keeping = {
  record: s.bytesUpTo(limits.recordBytes),
  shares: v.array(v.strictObject({ loc: s.bytes(16), share: s.bytes(32) })),
};
/** `origin` is a keyed hash of the address, for attempt limits only. */
const origin = s.bytes(16);
const asker = { account: s.account, device: s.device, session };
const joiner = { account: s.account, joining: v.string() };
const either = { account: s.account, joining: v.optional(v.string()) };
const linkStep = { offer: s.bytes(16), step: s.count };
const linkMessage = s.bytesUpTo(limits.linkMessageBytes);

export const registrationModes = ['closed', 'invite', 'approval', 'open'] as const;
const mode = v.picklist(registrationModes);
const role = v.picklist(roles);
const callers = ['gateway'] as const;

/** Somebody who signs in again and again ends sessions by the thousand: an answer fits into one message of the bus all the same. */
export const endingsPerAnswer = 10_000;

export const accounts = defineContract({
  service: 'accounts',
  cache: true,
  calls: {
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
    oidcBegin: {
      request: s.empty,
      answer: v.strictObject({ url: v.string(), flow: s.bytes(32) }),
      callers,
    },
    /**
     * The query of the browser's return, whole; answers whether the person may go on, and then the six
     * digits that the page shows. Only who sees them gets the grant. docs/protocol/accounts.md §9
     */
    oidcReturn: {
      request: v.strictObject({ query: v.pipe(v.string(), v.maxLength(4096)) }),
      answer: v.variant('admitted', [
        v.strictObject({ admitted: v.literal(true), digits: v.string() }),
        v.strictObject({ admitted: v.literal(false) }),
      ]),
      callers,
    },
    /** Without digits: whether the browser has returned. */
    oidcPoll: {
      request: v.strictObject({ flow: s.bytes(32), digits: v.optional(v.string()) }),
      answer: v.strictObject({ grant: v.optional(s.bytes(32)), name: v.optional(v.string()) }),
      callers,
    },

    record: {
      request: v.strictObject(either),
      answer: v.strictObject({ record: keeping.record, used: v.array(s.bytes(16)) }),
      callers,
    },
    putRecord: { request: v.strictObject({ ...asker, ...keeping }), answer: s.empty, callers },
    updateDevices: {
      request: v.strictObject({ ...asker, list: enrolment.list, ...keeping }),
      answer: s.empty,
      callers,
    },
    recovery: {
      request: v.strictObject(joiner),
      answer: v.strictObject({ loc: s.bytes(16), share: s.bytes(32) }),
      callers,
    },
    join: {
      request: v.strictObject({
        ...joiner,
        device: s.device,
        list: enrolment.list,
        challenge: enrolment.challenge,
        proof: enrolment.proof,
        signedPrekey: enrolment.signedPrekey,
        lastResort: enrolment.lastResort,
        batch: enrolment.batch,
        ...keeping,
        nonce,
        deviceProof: signature,
      }),
      answer: tokens,
      callers,
    },
    linkOpen: {
      request: v.strictObject({ ...asker, offer: s.bytes(16) }),
      answer: s.empty,
      callers,
    },
    linkPut: {
      request: v.strictObject({ ...either, ...linkStep, message: linkMessage }),
      answer: s.empty,
      callers,
    },
    linkGet: {
      request: v.strictObject({ ...either, ...linkStep }),
      answer: v.strictObject({ message: v.optional(linkMessage) }),
      callers,
    },
    resetBegin: {
      request: v.strictObject(joiner),
      answer: v.strictObject({ seconds: s.count }),
      callers,
    },
    resetCancel: { request: v.strictObject(asker), answer: s.empty, callers },

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
    /** What the discovery document says of joining; `oidc` is the name of the organisation's sign-in. */
    policy: {
      request: s.empty,
      answer: v.strictObject({ registration: mode, oidc: v.optional(v.string()) }),
      callers: ['gateway', 'control'],
    },

    /** A new invite code; `expires` in Unix seconds. */
    invite: {
      request: v.strictObject({
        uses: v.pipe(s.count, v.minValue(1), v.maxValue(1000)),
        seconds: s.count,
        /** `member` unless given. */
        role: v.optional(role),
      }),
      answer: v.strictObject({ invite: v.string(), expires: s.count }),
      callers: ['control'],
    },
    /** The invites that are still good; `hint` is the beginning of the hash, by which one is withdrawn. */
    invites: {
      request: s.empty,
      answer: v.strictObject({
        invites: v.array(
          v.strictObject({
            hint: v.string(),
            uses: s.count,
            used: s.count,
            expires: s.count,
            role,
          }),
        ),
      }),
      callers: ['control'],
    },
    withdrawInvite: {
      request: v.strictObject({ hint: v.string() }),
      answer: s.empty,
      callers: ['control'],
    },
    setRegistration: {
      request: v.strictObject({ registration: mode }),
      answer: s.empty,
      callers: ['control'],
    },
    /** Who waits for the operator's word. */
    applicants: {
      request: s.empty,
      answer: v.strictObject({
        applicants: v.array(v.strictObject({ name: v.string(), since: s.count })),
      }),
      callers: ['control'],
    },
    decide: {
      request: v.strictObject({ name: v.string(), admit: v.boolean() }),
      answer: s.empty,
      callers: ['control'],
    },
    setOidc: {
      request: v.strictObject({
        provider: v.nullable(
          v.strictObject({
            /** As people know it. */
            title: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
            issuer: v.pipe(v.string(), v.url(), v.maxLength(1024)),
            client: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
            secret: v.pipe(v.string(), v.minLength(1), v.maxLength(1024)),
            /** A claim that must be there with this value, for whoever may join. */
            require: v.optional(v.strictObject({ claim: v.string(), value: v.string() })),
          }),
        ),
      }),
      answer: s.empty,
      callers: ['control'],
    },
    /** What is configured, without the secret; `callback` is what the provider must know. */
    oidcProvider: {
      request: s.empty,
      answer: v.strictObject({
        callback: v.string(),
        provider: v.nullable(
          v.strictObject({
            title: v.string(),
            issuer: v.string(),
            client: v.string(),
            require: v.optional(v.strictObject({ claim: v.string(), value: v.string() })),
          }),
        ),
      }),
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
    /** key: `all`. The service or its bus came back: `ended` may be missing, so listeners ask `endings`. */
    resumed: { payload: s.empty, listeners: ['gateway'] },
  },
});
