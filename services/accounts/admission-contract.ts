/** Who may join: the organisation's sign-in, which people ask for, and what the operator decides. docs/protocol/accounts.md §9 */
import { registrationModes, roles } from '@island/protocol/wire/account-routes.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { defineCalls } from '../kit/contract.ts';
import { callers } from './call-parts.ts';

const mode = v.picklist(registrationModes);
const role = v.picklist(roles);
/** Of `whoIs`, of each kind. */
const whoIsMax = 500;

export const admissionCalls = defineCalls({
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
  /** Ends the account of that name, whoever wants it. */
  end: {
    request: v.strictObject({ name: v.string() }),
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
  /** Names and accounts of people, asked for by either; whoever is not on the island is left out. */
  whoIs: {
    request: v.strictObject({
      names: v.pipe(v.array(v.string()), v.maxLength(whoIsMax)),
      accounts: v.pipe(v.array(s.account), v.maxLength(whoIsMax)),
    }),
    answer: v.strictObject({
      people: v.array(v.strictObject({ name: v.string(), account: s.account })),
    }),
    callers: ['control'],
  },
  /** How many people have joined; whether a given invite is still good. */
  standing: {
    request: v.strictObject({ invite: v.optional(v.string()) }),
    answer: v.strictObject({ people: s.count, inviteGood: v.boolean() }),
    callers: ['control'],
  },
});
