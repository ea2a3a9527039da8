/** Identity of people: names, passwords, second factors, sessions, invites, and the record of their keys. */
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { defineContract } from '../kit/contract.ts';
import { dnsName } from '../kit/names.ts';
import { admissionCalls } from './admission-contract.ts';
import { session } from './call-parts.ts';
import { deviceCalls } from './device-contract.ts';
import { peopleCalls } from './people-contract.ts';

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

/** Somebody who signs in again and again ends sessions by the thousand: an answer fits into one message of the bus all the same. */
export const endingsPerAnswer = 10_000;

export const accounts = defineContract({
  service: 'accounts',
  cache: true,
  calls: { ...peopleCalls, ...deviceCalls, ...admissionCalls },
  events: {
    /** key: AccountId. A session was ended: its sockets close. */
    ended: { payload: v.strictObject({ session }), listeners: ['gateway'] },
    /** key: `all`. The service or its bus came back: `ended` may be missing, so listeners ask `endings`. */
    resumed: { payload: s.empty, listeners: ['gateway'] },
  },
});
