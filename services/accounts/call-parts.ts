/** What calls of several kinds have in common. */
import { limits } from '@island/protocol/wire/limits.ts';
import { nonceBytes } from '@island/protocol/wire/route.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';

export const tokens = v.strictObject({ access: v.string(), refresh: v.string() });
/** A session is a refresh-token family of one device. */
export const session = v.string();
export const asker = { account: s.account, device: s.device, session };
export const nonce = s.bytes(nonceBytes);
export const signature = s.bytes(64);

export const keeping = {
  record: s.bytesUpTo(limits.recordBytes),
  shares: v.array(v.strictObject({ loc: s.bytes(16), share: s.bytes(32) })),
};

/** Who calls for people: they reach the gateway, and it alone. */
export const callers = ['gateway'] as const;
