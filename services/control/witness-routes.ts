/**
 * What operators ask about witnesses, over their unix socket. docs/operations.md §8
 *
 *     GET  /witness                                     → { policy, pending?, size, witnesses, trusted }
 *     GET  /witness/card                                → { name, log, keys }
 *     POST /witness/add { name, vkey, url?, ca?, quorum? } → { policy, quorum, of }
 *     POST /witness/remove { name }                     → { policy, quorum, of }
 *     POST /witness/quorum { quorum }                   → { policy, quorum, of }
 *     POST /witness/policy { text, after }              → { policy }
 *     POST /witness/trust { vkey }                      → { origin }
 *     POST /witness/distrust { origin }                 → {}
 *     POST /witness/cosign { request }                  → { status, body }     add-checkpoint, by hand
 *     POST /witness/request { witness, old? }           → { request, size, published }
 *     POST /witness/take { signatures, witness? }       → { taken: [{ name, size, published }] }
 */

import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { witness } from '../witness/contract.ts';
import { readSimple, type SimplePolicy, writeSimple } from './witness-policy.ts';

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
  quorum: v.strictObject({ quorum }),
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
  quorum: number;
  /** Witnesses that there are. */
  of: number;
}

/** Works on the newest policy, whoever made it: the directory refuses what came in between. */
async function change(
  bus: Bus,
  edit: (simple: SimplePolicy) => SimplePolicy,
  roots: { url: string; ca: Uint8Array }[] = [],
): Promise<PolicySet> {
  const { number, text, pending } = await bus.call(directory, 'policy', {});
  if (pending !== undefined) throw new Fault('policy_moved');
  const simple = readSimple(text);
  if (simple === undefined) throw new Fault('method_not_allowed');
  const next = edit(simple);
  const asked = { after: number, text: writeSimple(next), roots };
  const set = await bus.call(directory, 'setPolicy', asked);
  return { policy: set.number, quorum: next.quorum, of: next.witnesses.length };
}

export async function addWitness(bus: Bus, asked: Asked<'add'>): Promise<PolicySet> {
  const { name, vkey, url, ca } = asked;
  const { keys } = await bus.call(witness, 'keys', {});
  // Whoever could forge the log could sign for it, too.
  if (keys.includes(vkey)) throw new Fault('forbidden');
  const roots = ca === undefined || url === undefined ? [] : [{ url, ca }];
  return change(
    bus,
    (before) => {
      const twice = before.witnesses.some((one) => one.name === name || one.vkey === vkey);
      if (twice || name === 'witnesses' || name === 'none') throw new Fault('name_taken');
      const witnesses = [...before.witnesses, { name, vkey, ...(url !== undefined && { url }) }];
      return { ...before, witnesses, quorum: asked.quorum ?? Math.max(1, before.quorum) };
    },
    roots,
  );
}

export const removeWitness = (bus: Bus, { name }: Asked<'remove'>): Promise<PolicySet> =>
  change(bus, (before) => {
    const witnesses = before.witnesses.filter((one) => one.name !== name);
    if (witnesses.length === before.witnesses.length) throw new Fault('not_found');
    if (witnesses.length === 0) throw new Fault('policy_weaker');
    if (witnesses.length < before.quorum) throw new Fault('malformed');
    return { ...before, witnesses };
  });

export const setQuorum = (bus: Bus, { quorum }: Asked<'quorum'>): Promise<PolicySet> =>
  change(bus, (before) => ({ ...before, quorum }));

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
    policy: { number, text, quorum: readSimple(text)?.quorum ?? null },
    ...(pending && { pending }),
    ...standing,
    // `island verify` has the witness sign the island's own log: nobody's business.
    trusted: logs.filter(({ keys, trusted }) => trusted || !keys.includes(own.vkey)),
  };
}

export async function ownCard(bus: Bus): Promise<object> {
  const [{ vkey }, { name, keys }] = await Promise.all([
    bus.call(directory, 'log', {}),
    bus.call(witness, 'keys', {}),
  ]);
  return { name, log: vkey, keys };
}

export async function cosign(bus: Bus, { request }: Asked<'cosign'>): Promise<object> {
  const body = utf8Bytes(request);
  if (body.length > limits.witnessRequestBytes) throw new Fault('too_large');
  const { status, body: answer } = await bus.call(witness, 'addCheckpoint', { body });
  return { status, body: answer };
}
