/**
 * Looking others up: over a connection that nobody is signed in on, paid with tokens, so that the island does
 * not learn who asks about whom. docs/protocol/tokens.md §9
 */
import * as v from 'valibot';
import { limits } from './limits.ts';
import { logStep, route, structureBytes } from './route.ts';
import * as s from './schema.ts';
import { tokenBytes } from './token.ts';

const token = s.text64(tokenBytes);

const bundle = v.strictObject({
  device: s.device,
  signedPrekey: s.text64UpTo(structureBytes.signedPrekey),
  /** OneTimePrekey with its Merkle path; in its place, when the batch is exhausted or the daily limit reached, the last resort. */
  oneTime: v.optional(s.text64UpTo(structureBytes.oneTime)),
  lastResort: v.optional(s.text64UpTo(structureBytes.lastResort)),
});

export const lookupRoutes = {
  /** What the log proves of a name and of the account that it leads to, also that there is none. transparency.md §6 */
  lookUpProof: route({
    method: 'POST',
    path: '/v1/lookup/proof',
    auth: 'none',
    request: v.strictObject({ token, name: s.person }),
    answer: v.strictObject({ answer: s.text64UpTo(structureBytes.proof) }),
  }),
  /** The published versions of a person's account after one, ascending, at most `limits.listsPerAnswer`. */
  lookUpHistory: route({
    method: 'POST',
    path: '/v1/lookup/history',
    auth: 'none',
    request: v.strictObject({ token, name: s.person, after: s.count }),
    answer: v.strictObject({ steps: v.pipe(v.array(logStep), v.maxLength(limits.listsPerAnswer)) }),
  }),
  /**
   * Whether the published log shows that an account was ended, with its versions after one, of which nothing is told
   * any more. For who knows the account: nobody else can ask, so it costs nothing. transparency.md §6.6
   */
  endedAccount: route({
    method: 'POST',
    path: '/v1/lookup/ended',
    auth: 'none',
    request: v.strictObject({ account: s.account, after: s.count }),
    answer: v.strictObject({
      answer: s.text64UpTo(structureBytes.proof),
      steps: v.pipe(v.array(logStep), v.maxLength(limits.listsPerAnswer)),
    }),
  }),
  /** One prekey bundle for each device asked for, at `limits.bundlePrice` tokens each. */
  bundles: route({
    method: 'POST',
    path: '/v1/bundles',
    auth: 'none',
    request: v.strictObject({
      tokens: v.pipe(
        v.array(token),
        v.minLength(1),
        v.maxLength(limits.devices * limits.bundlePrice),
      ),
      account: s.account,
      devices: v.pipe(v.array(s.device), v.minLength(1), v.maxLength(limits.devices)),
    }),
    answer: v.strictObject({ bundles: v.array(bundle) }),
  }),
} as const;
