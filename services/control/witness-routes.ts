/**
 * What operators ask about witnesses, over their unix socket. docs/operations.md §8
 *
 *     GET  /witness                                     → { policy, pending?, size, witnesses, trusted }
 *     GET  /witness/card                                → { name, log, keys }
 *     POST /witness/add { name, vkey, url?, ca?, quorum? } → { policy, quorum, of }
 *     POST /witness/remove { name }                     → { policy, quorum, of }
 *     POST /witness/quorum { quorum, members? }         → { policy, quorum, of }
 *     POST /witness/policy { text, after }              → { policy }
 *     POST /witness/trust { vkey }                      → { origin }
 *     POST /witness/distrust { origin }                 → {}
 *     POST /witness/cosign { request }                  → { status, body }     add-checkpoint, by hand
 *     POST /witness/request { witness, old? }           → { request, size, published }
 *     POST /witness/take { signatures, witness? }       → { taken: [{ name, size, published }] }
 */

import { equal } from '@island/protocol/crypto/primitives.ts';
import { witnessClass } from '@island/protocol/transparency/member-witness.ts';
import { parseVkey } from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { witness } from '../witness/contract.ts';
import {
  type ClassName,
  classNames,
  classOfKey,
  readSimple,
  reservedNames,
  type SimplePolicy,
  writeSimple,
} from './witness-policy.ts';

export const quorumMax = 64;
const quorum = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(quorumMax));
const name = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/));

export const witnessRequests = {
  add: v.strictObject({
    name,
    vkey: v.pipe(v.string(), v.maxLength(2560)),
    /** Absent for one that is asked by hand. */
    url: v.optional(v.pipe(v.string(), v.maxLength(1024))),
    ca: v.optional(s.text64(32)),
    quorum: v.optional(quorum),
  }),
  remove: v.strictObject({ name }),
  /** `members`: of those, and not of the others. */
  quorum: v.strictObject({ quorum, members: v.optional(v.boolean(), false) }),
  policy: v.strictObject({ after: s.count, text: v.pipe(v.string(), v.maxLength(65_536)) }),
  trust: witness.calls.trust.request,
  distrust: witness.calls.distrust.request,
  cosign: v.strictObject({
    request: v.pipe(v.string(), v.maxLength(limits.witnessRequestBytes)),
  }),
  request: directory.calls.witnessRequest.request,
  take: directory.calls.takeSignatures.request,
};

type Asked<N extends keyof typeof witnessRequests> = v.InferOutput<(typeof witnessRequests)[N]>;

export interface PolicySet {
  /** Its number. */
  policy: number;
  /** Of the class that was changed. */
  class: ClassName;
  quorum: number;
  /** Witnesses that there are of it. */
  of: number;
}

type Root = { url: string; ca: Uint8Array };

/** Works on the newest policy, whoever made it: the directory refuses what came in between. */
async function change(
  bus: Bus,
  edit: (simple: SimplePolicy) => { next: SimplePolicy; of: ClassName },
  roots: Root[] = [],
): Promise<PolicySet> {
  const { number, text, pending } = await bus.call(directory, 'policy', {});
  if (pending !== undefined) throw new Fault('policy_moved');
  const simple = readSimple(text);
  if (simple === undefined) throw new Fault('method_not_allowed');
  const { next, of } = edit(simple);
  const set = await setPolicy(bus, { after: number, text: writeSimple(next) }, roots);
  const { quorum, witnesses } = next[of];
  return { policy: set.policy, class: of, quorum, of: witnesses.length };
}

/** Throws `forbidden` for one that names a key of this island's own witness: who could forge the log could sign for it. */
export async function setPolicy(
  bus: Bus,
  { after, text }: Asked<'policy'>,
  roots: Root[] = [],
): Promise<{ policy: number }> {
  const named = keysOf(text);
  const { keys } = await bus.call(witness, 'keys', {});
  const own = keys.map((key) => parseVkey(key).key);
  if (named.some((key) => own.some((one) => equal(key, one)))) throw new Fault('forbidden');
  const { number } = await bus.call(directory, 'setPolicy', { after, text, roots });
  return { policy: number };
}

/** Of the witnesses, under whatever name. */
function keysOf(text: string): Uint8Array[] {
  try {
    return parsePolicy(text).witnesses.map(({ vkey }) => vkey.key);
  } catch (cause) {
    if (cause instanceof TransparencyFault) throw new Fault('malformed', undefined, { cause });
    throw cause;
  }
}

const all = (policy: SimplePolicy) => classNames.flatMap((of) => policy[of].witnesses);

export async function addWitness(bus: Bus, asked: Asked<'add'>): Promise<PolicySet> {
  const { name, vkey, url, ca } = asked;
  const of = classOfKey(vkey, url);
  const roots = ca === undefined || url === undefined ? [] : [{ url, ca }];
  return change(
    bus,
    (before) => {
      const twice = all(before).some((one) => one.name === name || one.vkey === vkey);
      if (twice || reservedNames.includes(name)) throw new Fault('name_taken');
      const added = { name, vkey, ...(url !== undefined && { url }) };
      const witnesses = [...before[of].witnesses, added];
      const quorum = asked.quorum ?? Math.max(before[of].quorum, usual(of, witnesses.length));
      return { next: { ...before, [of]: { quorum, witnesses } }, of };
    },
    roots,
  );
}

/** More than half of other operators; of members, whose devices sleep, as many as the operator says. */
const usual = (of: ClassName, count: number): number =>
  of === 'witnesses' ? Math.floor(count / 2) + 1 : 1;

export const removeWitness = (bus: Bus, { name }: Asked<'remove'>): Promise<PolicySet> =>
  change(bus, (before) => {
    const of = classNames.find((each) => before[each].witnesses.some((one) => one.name === name));
    if (of === undefined) throw new Fault('not_found');
    const witnesses = before[of].witnesses.filter((one) => one.name !== name);
    if (all(before).length === 1) throw new Fault('policy_weaker');
    const { quorum } = before[of];
    // The last of its class takes the class along.
    if (witnesses.length > 0 && witnesses.length < quorum) throw new Fault('malformed');
    const left = { quorum: witnesses.length === 0 ? 0 : quorum, witnesses };
    return { next: { ...before, [of]: left }, of };
  });

export const setQuorum = (bus: Bus, { quorum, members }: Asked<'quorum'>): Promise<PolicySet> =>
  change(bus, (before) => {
    const of = members ? 'members' : 'witnesses';
    if (before[of].witnesses.length === 0) throw new Fault('malformed');
    return { next: { ...before, [of]: { ...before[of], quorum } }, of };
  });

/** How many of which class have to sign; `null` for a policy that was written by hand. */
function needsOf(text: string) {
  const simple = readSimple(text);
  if (simple === undefined) return { quorum: null, needs: null };
  const needs = classNames
    .filter((of) => simple[of].witnesses.length > 0)
    .map((of) => ({ class: of, quorum: simple[of].quorum, of: simple[of].witnesses.length }));
  // Of two classes there is no one number.
  return { quorum: needs.length > 1 ? null : (needs[0]?.quorum ?? 0), needs };
}

/** Both sides: who signs for this island, and for whom this island signs. */
export async function witnessStanding(bus: Bus): Promise<object> {
  const [policy, standing, { logs }, own] = await Promise.all([
    bus.call(directory, 'policy', {}),
    bus.call(directory, 'witnesses', {}),
    bus.call(witness, 'logs', {}),
    bus.call(directory, 'log', {}),
  ]);
  const { number, text, pending } = policy;
  return {
    policy: { number, text, ...needsOf(text) },
    ...(pending && { pending }),
    ...standing,
    witnesses: standing.witnesses.map((one) => {
      const { vkey, url } = one;
      return { ...one, class: witnessClass({ vkey: parseVkey(vkey), ...(url && { url }) }) };
    }),
    // `island verify` has the witness sign the island's own log: nobody's business.
    trusted: logs.filter(({ keys, trusted }) => trusted || !keys.includes(own.vkey)),
  };
}

export async function ownCard(bus: Bus): Promise<object> {
  const [{ vkey }, { successor }, { name, keys }] = await Promise.all([
    bus.call(directory, 'log', {}),
    bus.call(directory, 'witnesses', {}),
    bus.call(witness, 'keys', {}),
  ]);
  // The log that is to be trusted: one that ended signs nothing more.
  return { name, log: successor ?? vkey, keys };
}

export async function cosign(bus: Bus, { request }: Asked<'cosign'>): Promise<object> {
  const body = utf8Bytes(request);
  if (body.length > limits.witnessRequestBytes) throw new Fault('too_large');
  const { status, body: answer } = await bus.call(witness, 'addCheckpoint', { body });
  return { status, body: answer };
}
