/** A person's history, in segments that only their devices can open. Knows accounts, sizes and the order of segments. */
import { limits } from '@island/protocol/wire/limits.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { defineContract } from '../kit/contract.ts';

const segment = s.bytesUpTo(limits.segmentBytes);

export const archive = defineContract({
  service: 'archive',
  cache: false,
  calls: {
    head: {
      request: v.strictObject({ account: s.account }),
      answer: v.strictObject({ seq: s.count, hash: s.bytes(32) }),
      callers: ['gateway'],
    },
    /**
     * Answers after the commit. `archive_moved` { seq } when the segment does not follow the newest one;
     * `stale_list`, `stale_record` when that one was made under a newer list, with a newer key.
     */
    append: {
      request: v.strictObject({ account: s.account, device: s.device, segment }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /** Segments behind `after`, ascending, as many as fit into one answer. */
    read: {
      request: v.strictObject({ account: s.account, after: s.count }),
      answer: v.strictObject({ segments: v.array(segment) }),
      callers: ['gateway'],
    },
    /** The account is over: its archive goes, and that it had one. */
    end: {
      request: v.strictObject({ account: s.account }),
      answer: s.empty,
      callers: ['accounts'],
    },
    /**
     * The account has a new identity: nobody can open what is there. From then on no segment
     * is taken that was made under a list older than `listEpoch`.
     */
    erase: {
      request: v.strictObject({ account: s.account, listEpoch: v.optional(s.count) }),
      answer: s.empty,
      callers: ['accounts'],
    },
  },
  events: {},
});
