/** What devices ask: the record of keys, device lists, joining, linking, reset. docs/protocol/devices.md, keys.md, linking.md */
import { limits } from '@island/protocol/wire/limits.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { enrolment } from '../directory/contract.ts';
import { defineCalls } from '../kit/contract.ts';
import { asker, callers, keeping, nonce, signature, tokens } from './call-parts.ts';

const joiner = { account: s.account, joining: v.string() };
const either = { account: s.account, joining: v.optional(v.string()) };
const linkStep = { offer: s.bytes(16), step: s.count };
const linkMessage = s.bytesUpTo(limits.linkMessageBytes);

export const deviceCalls = defineCalls({
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
});
