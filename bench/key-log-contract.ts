/** What the log that is measured is asked over the bus, as the gateway asks a directory. */
import { structureBytes } from '@island/protocol/wire/route.ts';
import * as s from '@island/protocol/wire/schema.ts';
import { defineContract } from '@island/services/kit/contract.ts';
import * as v from 'valibot';

const answer = v.strictObject({ answer: s.bytesUpTo(structureBytes.proof) });

export const keyLog = defineContract({
  service: 'directory',
  cache: false,
  calls: {
    lookup: { request: v.strictObject({ name: v.string() }), answer, callers: ['gateway'] },
    account: { request: v.strictObject({ account: s.account }), answer, callers: ['gateway'] },
    /** A list by its account, from its table: what an answer is compared with. */
    row: { request: v.strictObject({ account: s.account }), answer, callers: ['gateway'] },
  },
  events: {},
});
