/** Routes about what sealed messages need: tokens to pay with, the key that contacts have, the island's word for the sender. docs/protocol/tokens.md */
import * as v from 'valibot';
import { limits } from './limits.ts';
import { route, structureBytes } from './route.ts';
import * as s from './schema.ts';
import { tokenClasses } from './token.ts';

const kind = v.picklist(Object.values(tokenClasses));
const points = s.text64UpTo(limits.tokensPerBatch * 32);

/** Numbers of delivery keys: the highest, and how far a key may be above the present one. tokens.md §8 */
export const deliveryEpochs = { most: 0xffff_fffe, step: 1024 } as const;

export const messageRoutes = {
  /** What tokens are issued under, of today and tomorrow. Asked over a connection that nobody is signed in on. */
  tokenKeys: route({
    method: 'GET',
    path: '/v1/token-keys',
    auth: 'none',
    request: s.empty,
    answer: v.strictObject({
      keys: v.array(v.strictObject({ class: kind, day: s.count, public: s.text64(32) })),
    }),
  }),
  /** One token for each blinded input of 32 bytes. */
  issueTokens: route({
    method: 'POST',
    path: '/v1/tokens',
    auth: 'token',
    request: v.strictObject({ class: kind, day: s.count, blinded: points }),
    answer: v.strictObject({ evaluated: points, proof: s.text64(64) }),
  }),
  /** The next key of the asker's account: its hash. */
  deliveryKey: route({
    method: 'POST',
    path: '/v1/delivery-key',
    auth: 'token',
    request: v.strictObject({
      epoch: v.pipe(s.count, v.minValue(1), v.maxValue(deliveryEpochs.most)),
      hash: s.text64(32),
      /** Ends the keys before it at once. */
      cut: v.boolean(),
    }),
    answer: s.empty,
  }),
  /** The island's word for the device that asks: signing key ‖ certificate. dm.md §9 */
  senderCertificate: route({
    method: 'POST',
    path: '/v1/sender-certificate',
    auth: 'token',
    request: s.empty,
    answer: v.strictObject({ certificate: s.text64(structureBytes.senderCertificate) }),
  }),
} as const;
