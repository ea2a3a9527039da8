/**
 * What operators can ask for over their unix socket. docs/operations.md §8
 *
 *     POST /invites { uses, seconds, role }       → { invite, expires }
 *     GET  /invites                               → { invites: [{ hint, uses, used, expires, role }] }
 *     POST /invites/withdraw { hint }             → {}
 *     GET  /registration                          → { registration, oidc? }
 *     POST /registration { registration }         → {}
 *     GET  /applicants                            → { applicants: [{ name, since }] }
 *     POST /applicants { name, admit }            → {}
 *     POST /accounts/end { name }                 → {}
 *     GET  /oidc                                  → { callback, provider: { title, issuer, client, require? } | null }
 *     POST /oidc { provider | null }              → {}         provider with its secret
 *     … /servers…                                 server-routes.ts
 *     GET  /standing[?invite=CODE]                → { people, inviteGood }
 *     POST /setup-token                           → { setupToken }     null once it was used
 *     POST /first-invite                          → { invite }         null once somebody has joined
 *     POST /log/succeed { forced }                 → { vkey, size, seen, waiting }
 *     … /witness…                                 witness-routes.ts
 */
import { roles } from '@island/protocol/wire/account-routes.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { accounts } from '../accounts/contract.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import type { VaultSecrets } from '../kit/vault-secrets.ts';
import { spaces } from '../spaces/contract.ts';
import { witness } from '../witness/contract.ts';
import type { ControlStore } from './database.ts';
import { showFirstInvite } from './first-invite.ts';
import { changePolicy, serverPage, serverRequests, shownPolicy } from './server-routes.ts';
import { showSetupToken } from './setup-token.ts';
import {
  addWitness,
  cosign,
  ownCard,
  removeWitness,
  setPolicy,
  setQuorum,
  witnessRequests,
  witnessStanding,
} from './witness-routes.ts';

export interface OperatorParts {
  bus: Bus;
  store: ControlStore;
  secrets: VaultSecrets;
}

/** Answers what came in as JSON, or in the query of a GET. Throws Fault `malformed` for what it does not know. */
type Action = (parts: OperatorParts, input: unknown) => Promise<object>;

const year = 31_536_000;
const none = v.strictObject({});
const inviteRequest = v.strictObject({
  uses: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 1),
  seconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(60), v.maxValue(year)), 604_800),
  role: v.optional(v.picklist(roles), 'member'),
});
const standingQuery = v.strictObject({ invite: v.optional(v.pipe(v.string(), v.maxLength(64))) });
const withdrawal = v.strictObject({ hint: v.pipe(v.string(), v.regex(/^[0-9a-f]{8}$/)) });
const ending = v.strictObject({ name: s.person });
const decision = v.strictObject({ name: s.person, admit: v.boolean() });
const { setRegistration, setOidc } = accounts.calls;

/** @param schema what is asked for is decoded by */
const action =
  <const S extends v.GenericSchema>(
    schema: S,
    act: (parts: OperatorParts, input: v.InferOutput<S>) => Promise<object>,
  ): Action =>
  (parts, input) =>
    act(parts, s.decode(schema, input));

export const operatorRoutes: Readonly<
  Record<string, Readonly<Partial<Record<'GET' | 'POST', Action>>>>
> = {
  '/invites': {
    GET: action(none, ({ bus }) => bus.call(accounts, 'invites', {})),
    POST: action(inviteRequest, ({ bus }, asked) => bus.call(accounts, 'invite', asked)),
  },
  '/invites/withdraw': {
    POST: action(withdrawal, ({ bus }, asked) => bus.call(accounts, 'withdrawInvite', asked)),
  },
  '/registration': {
    GET: action(none, ({ bus }) => bus.call(accounts, 'policy', {})),
    POST: action(setRegistration.request, ({ bus }, asked) =>
      bus.call(accounts, 'setRegistration', asked),
    ),
  },
  '/applicants': {
    GET: action(none, ({ bus }) => bus.call(accounts, 'applicants', {})),
    POST: action(decision, ({ bus }, asked) => bus.call(accounts, 'decide', asked)),
  },
  '/accounts/end': {
    POST: action(ending, ({ bus }, asked) => bus.call(accounts, 'end', asked)),
  },
  '/oidc': {
    GET: action(none, ({ bus }) => bus.call(accounts, 'oidcProvider', {})),
    POST: action(setOidc.request, ({ bus }, asked) => bus.call(accounts, 'setOidc', asked)),
  },
  '/standing': {
    GET: action(standingQuery, ({ bus }, { invite }) =>
      bus.call(accounts, 'standing', invite === undefined ? {} : { invite }),
    ),
  },
  '/log/succeed': {
    POST: action(directory.calls.succeed.request, ({ bus }, asked) =>
      bus.call(directory, 'succeed', asked),
    ),
  },
  '/servers': { GET: action(serverRequests.page, ({ bus }, asked) => serverPage(bus, asked)) },
  '/servers/policy': {
    GET: action(none, ({ bus }) => shownPolicy(bus)),
    POST: action(serverRequests.policy, ({ bus }, asked) => changePolicy(bus, asked)),
  },
  '/servers/close': {
    POST: action(serverRequests.close, ({ bus }, asked) => bus.call(spaces, 'shutDown', asked)),
  },
  '/witness': { GET: action(none, ({ bus }) => witnessStanding(bus)) },
  '/witness/card': { GET: action(none, ({ bus }) => ownCard(bus)) },
  '/witness/add': {
    POST: action(witnessRequests.add, ({ bus }, asked) => addWitness(bus, asked)),
  },
  '/witness/remove': {
    POST: action(witnessRequests.remove, ({ bus }, asked) => removeWitness(bus, asked)),
  },
  '/witness/quorum': {
    POST: action(witnessRequests.quorum, ({ bus }, asked) => setQuorum(bus, asked)),
  },
  '/witness/policy': {
    POST: action(witnessRequests.policy, ({ bus }, asked) => setPolicy(bus, asked)),
  },
  '/witness/trust': {
    POST: action(witnessRequests.trust, ({ bus }, asked) => bus.call(witness, 'trust', asked)),
  },
  '/witness/distrust': {
    POST: action(witnessRequests.distrust, ({ bus }, asked) =>
      bus.call(witness, 'distrust', asked),
    ),
  },
  '/witness/cosign': {
    POST: action(witnessRequests.cosign, ({ bus }, asked) => cosign(bus, asked)),
  },
  '/witness/request': {
    POST: action(witnessRequests.request, ({ bus }, asked) =>
      bus.call(directory, 'witnessRequest', asked),
    ),
  },
  '/witness/take': {
    POST: action(witnessRequests.take, ({ bus }, asked) =>
      bus.call(directory, 'takeSignatures', asked),
    ),
  },
  '/setup-token': {
    POST: action(none, async ({ store, secrets }) => ({
      setupToken: (await showSetupToken(store, secrets)) ?? null,
    })),
  },
  '/first-invite': {
    POST: action(none, async (parts) => ({
      invite: (await showFirstInvite(parts)) ?? null,
    })),
  },
};
