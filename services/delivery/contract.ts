/** Sealed mailboxes, one a device. Knows recipients only; nothing here names a sender. */
import { limits } from '@island/protocol/wire/limits.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { defineContract } from '../kit/contract.ts';

const body = s.bytesUpTo(limits.envelopeBytes);
const stored = v.strictObject({ seq: s.count, id: s.envelope, body });
const mailbox = { account: s.account, device: s.device };

export const delivery = defineContract({
  service: 'delivery',
  cache: false,
  calls: {
    /** Answers after the commit. `stale_devices` { missing, extra, epoch } when the envelopes do not match the device list. */
    put: {
      request: v.strictObject({
        account: s.account,
        epoch: s.count,
        envelopes: v.pipe(
          v.array(v.strictObject({ device: s.device, id: s.envelope, body })),
          v.minLength(1),
          v.maxLength(limits.sendEnvelopes),
        ),
      }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /** Envelopes with `seq > after`, ascending, at most `count`; `head` is the newest seq ever given in this mailbox. */
    since: {
      request: v.strictObject({ ...mailbox, after: s.count, count: s.count }),
      answer: v.strictObject({ head: s.count, envelopes: v.array(stored) }),
      callers: ['gateway'],
    },
    /** Forgets everything up to `seq`. */
    ack: {
      request: v.strictObject({ ...mailbox, seq: s.count }),
      answer: s.empty,
      callers: ['gateway'],
    },
  },
  events: {
    /** key: DeviceKey. An envelope was committed; listeners who miss one notice the gap in `seq` and ask `since`. */
    mail: { payload: stored, listeners: ['gateway'] },
    /** key: `all`. The service or its bus came back: events may be missing, so listeners ask `since`. */
    resumed: { payload: s.empty, listeners: ['gateway'] },
  },
});
