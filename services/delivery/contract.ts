/**
 * Sealed mailboxes, one a device, and what it costs to put something into them. Knows recipients, and who
 * gets tokens; nothing here names a sender, or tells whose a token was.
 */
import { limits } from '@island/protocol/wire/limits.ts';
import * as s from '@island/protocol/wire/schema.ts';
import { deliveryKeyBytes } from '@island/protocol/wire/send.ts';
import { tokenBytes, tokenClasses } from '@island/protocol/wire/token.ts';
import * as v from 'valibot';
import { defineContract } from '../kit/contract.ts';

const body = s.bytesUpTo(limits.envelopeBytes);
const stored = v.strictObject({ seq: s.count, id: s.envelope, request: v.boolean(), body });
const kind = v.picklist(Object.values(tokenClasses));
const token = v.strictObject({
  class: kind,
  day: s.count,
  input: s.bytes(32),
  output: s.bytes(64),
});
/** SHA-256 of what tokens pay for, cut: the same again costs nothing. */
const context = s.bytes(16);
/** What the largest attachment costs. */
const mostSpent = Math.ceil(limits.blobBytes / limits.blobBytesPerToken);
const envelopes = v.pipe(
  v.array(v.strictObject({ device: s.device, id: s.envelope, body })),
  v.minLength(1),
  v.maxLength(limits.sendEnvelopes),
);
const mailbox = { account: s.account, device: s.device };

export const delivery = defineContract({
  service: 'delivery',
  cache: false,
  calls: {
    /**
     * Answers after the commit. `stale_devices` { missing, extra, epoch } when the envelopes do not match the
     * device list. What is refused costs nothing.
     */
    put: {
      request: v.strictObject({
        tokens: v.pipe(v.array(token), v.maxLength(limits.sendTokens)),
        /** The recipient's delivery key. */
        key: v.optional(s.bytes(deliveryKeyBytes)),
        context,
        account: s.account,
        epoch: s.count,
        envelopes,
      }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /**
     * As `put`, and for nothing: what a member of a space hands another one of its keys. Whoever asks has seen to it
     * that both are members.
     */
    place: {
      request: v.strictObject({ account: s.account, epoch: s.count, envelopes }),
      answer: s.empty,
      callers: ['spaces'],
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
    /**
     * Spends tokens on something of the caller's, before it does it. In the same context again they cost
     * nothing and it succeeds: `token_invalid`, `token_spent`.
     */
    spend: {
      request: v.strictObject({
        class: kind,
        /** As they are written: whoever passes them on has no need to look. */
        tokens: v.pipe(v.array(s.bytes(tokenBytes)), v.minLength(1), v.maxLength(mostSpent)),
        context,
      }),
      answer: s.empty,
      callers: ['media', 'gateway'],
    },
    /** The public halves of the keys that tokens are issued with now. */
    tokenKeys: {
      request: s.empty,
      answer: v.strictObject({
        keys: v.array(v.strictObject({ class: kind, day: s.count, public: s.bytes(32) })),
      }),
      callers: ['gateway'],
    },
    /** Tokens for an account, of which it gets so many a day: `tokens_exhausted` { seconds }. */
    issueTokens: {
      request: v.strictObject({
        account: s.account,
        class: kind,
        day: s.count,
        blinded: s.bytesUpTo(limits.tokensPerBatch * 32),
      }),
      answer: v.strictObject({
        evaluated: s.bytesUpTo(limits.tokensPerBatch * 32),
        proof: s.bytes(64),
      }),
      callers: ['gateway'],
    },
    /** The account is over: its mailboxes go, and everything that is known of it. */
    end: {
      request: v.strictObject({ account: s.account }),
      answer: s.empty,
      callers: ['accounts'],
    },
    /** The next delivery key of an account, or the same again. */
    setKey: {
      request: v.strictObject({
        account: s.account,
        epoch: v.pipe(s.count, v.minValue(1)),
        hash: s.bytes(32),
        cut: v.boolean(),
      }),
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
