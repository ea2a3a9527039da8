/**
 * This island as a witness of other logs: it signs that they only ever grew. Knows origins, keys, sizes and roots of
 * logs that the operator chose; nothing of what is in them, and nobody of the people here. docs/protocol/transparency.md §7
 */
import { limits } from '@island/protocol/wire/limits.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { defineContract } from '../kit/contract.ts';

/** Characters: a name, an id, and the largest key of those that there are, in base64. */
const vkey = v.pipe(v.string(), v.maxLength(2_560));
/** What a cosignature has room for. */
const origin = v.pipe(v.string(), v.minLength(1), v.maxBytes(255));

export const witness = defineContract({
  service: 'witness',
  cache: false,
  calls: {
    /** `add-checkpoint` of c2sp.org/tlog-witness: the body as it came, and the answer as it is to go. */
    addCheckpoint: {
      request: v.strictObject({ body: s.bytesUpTo(limits.witnessRequestBytes) }),
      answer: v.strictObject({ status: s.count, type: v.string(), body: v.string() }),
      callers: ['gateway', 'control'],
    },
    /** The newest cosigned checkpoint of the log whose origin has this SHA-256. `not_found` where there is none. */
    checkpoint: {
      request: v.strictObject({ origin: s.bytes(32) }),
      answer: v.strictObject({ note: v.string() }),
      callers: ['gateway'],
    },
    /** The name of this witness and its keys, as verifier keys of signed notes. */
    keys: {
      request: s.empty,
      answer: v.strictObject({ name: v.string(), keys: v.array(v.string()) }),
      callers: ['control'],
    },
    /** Signs for this log from now on. `malformed` for what is no key of a log; once more it changes nothing. */
    trust: {
      request: v.strictObject({ vkey }),
      answer: v.strictObject({ origin: v.string() }),
      callers: ['control'],
    },
    /** Signs for this log no more, and still knows how far it was. `not_found` for one that it never knew. */
    distrust: {
      request: v.strictObject({ origin }),
      answer: s.empty,
      callers: ['control'],
    },
    logs: {
      request: s.empty,
      answer: v.strictObject({
        logs: v.array(
          v.strictObject({
            origin: v.string(),
            keys: v.array(v.string()),
            trusted: v.boolean(),
            size: s.count,
            /** Unix seconds of the newest signature; 0 before the first. */
            signed: s.count,
          }),
        ),
      }),
      callers: ['control'],
    },
  },
  events: {},
});
