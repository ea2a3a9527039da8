/** Routes about the devices of a person and the keys that they share. docs/protocol/devices.md, keys.md */
import * as v from 'valibot';
import { limits } from './limits.ts';
import {
  enrolment,
  keeping,
  logStep,
  nonce,
  route,
  signature,
  structureBytes,
  tokens,
} from './route.ts';
import * as s from './schema.ts';

const offer = s.text64(16);
const step = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4));
const message = s.text64UpTo(limits.linkMessageBytes);

export const deviceRoutes = {
  challenge: route({
    method: 'GET',
    path: '/v1/challenge',
    auth: 'none',
    request: s.empty,
    answer: v.strictObject({ challenge: s.text64(32) }),
  }),
  /**
   * The stored lists of an account after an epoch, ascending, at most `limits.listsPerAnswer`. Nothing here says
   * which is the newest: this is for whoever has a list and goes back from it by hashes.
   */
  lists: route({
    method: 'GET',
    path: '/v1/people/:name/lists/:after',
    auth: 'either',
    request: s.empty,
    answer: v.strictObject({
      account: s.account,
      lists: v.pipe(v.array(s.text64UpTo(structureBytes.list)), v.maxLength(limits.listsPerAnswer)),
    }),
  }),
  /** What the log proves of a name and its account: of one's own, for a device that watches over it. */
  proof: route({
    method: 'GET',
    path: '/v1/people/:name/proof',
    auth: 'either',
    request: s.empty,
    answer: v.strictObject({ answer: s.text64UpTo(structureBytes.proof) }),
  }),
  /** The published versions of an account after one, ascending, at most `limits.listsPerAnswer`. */
  history: route({
    method: 'GET',
    path: '/v1/people/:name/history/:after',
    auth: 'either',
    request: s.empty,
    answer: v.strictObject({ steps: v.pipe(v.array(logStep), v.maxLength(limits.listsPerAnswer)) }),
  }),
  /** Removes devices of the asker, or changes what else a list says; the record goes with the list. */
  updateDevices: route({
    method: 'POST',
    path: '/v1/devices',
    auth: 'token',
    request: v.strictObject({ list: enrolment.list, ...keeping }),
    answer: s.empty,
  }),
  record: route({
    method: 'GET',
    path: '/v1/record',
    auth: 'either',
    request: s.empty,
    answer: v.strictObject({
      record: keeping.record,
      /** Code slots of the record that were used. */
      used: v.pipe(v.array(s.text64(16)), v.maxLength(limits.backupCodes)),
    }),
  }),
  putRecord: route({
    method: 'POST',
    path: '/v1/record',
    auth: 'token',
    request: v.strictObject(keeping),
    answer: s.empty,
  }),
  /** What the code gave with which this joining began: again as often as asked, until `join`. */
  recovery: route({
    method: 'GET',
    path: '/v1/recovery',
    auth: 'joining',
    request: s.empty,
    answer: v.strictObject({ loc: s.text64(16), share: s.text64(32) }),
  }),
  /** A new device, on a list that follows from the present one. */
  join: route({
    method: 'POST',
    path: '/v1/join',
    auth: 'joining',
    request: v.strictObject({
      device: s.device,
      ...enrolment,
      ...keeping,
      nonce,
      deviceProof: signature,
    }),
    answer: tokens,
  }),
  linkOpen: route({
    method: 'POST',
    path: '/v1/links',
    auth: 'token',
    request: v.strictObject({ offer }),
    answer: s.empty,
  }),
  /** Steps 1 and 3 are the new device's, 2 and 4 the old one's; what was put stays. */
  linkPut: route({
    method: 'POST',
    path: '/v1/links/put',
    auth: 'either',
    request: v.strictObject({ offer, step, message }),
    answer: s.empty,
  }),
  linkGet: route({
    method: 'POST',
    path: '/v1/links/get',
    auth: 'either',
    request: v.strictObject({ offer, step }),
    answer: v.strictObject({ message: v.optional(message) }),
  }),
  /** Asks for a new identity of an account whose keys are lost. A `join` with a reset is good after so many seconds. */
  resetBegin: route({
    method: 'POST',
    path: '/v1/reset',
    auth: 'joining',
    request: s.empty,
    answer: v.strictObject({ seconds: s.count }),
  }),
  resetCancel: route({
    method: 'POST',
    path: '/v1/reset/cancel',
    auth: 'token',
    request: s.empty,
    answer: s.empty,
  }),
} as const;
