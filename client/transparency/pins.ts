/**
 * Which log this home believes, by which key its labels are hidden and which witnesses must have signed:
 * kept from the first contact on. docs/protocol/transparency.md §8
 *
 * Witnesses may change: a new policy counts once the log holds it, in a checkpoint that satisfies the policy
 * that is known here; and none that asks for nobody follows one that asks for somebody.
 */
import type { LogPins } from '@island/protocol/transparency/answer.ts';
import type { SaidLog } from '@island/protocol/wire/routes.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import {
  type Batch,
  type Put,
  type Row,
  type Storage,
  untilCommitted,
} from '../storage/storage.ts';
import { callApart, type Transport } from '../transport/transport.ts';

const record = v.strictObject({
  vkey: v.string(),
  vrf: bytes64,
  policy: v.string(),
  policyNumber: s.count,
  /** Where the log announced it, as the island says: until the log was seen to (policy-pin.ts). */
  policyEntry: v.optional(s.count),
});
export type Pins = v.InferOutput<typeof record>;

export const pinsPlace = { namespace: 'transparency', key: 'pins' };

export async function readPins(storage: Storage): Promise<Pins | undefined> {
  const row = await storage.read(pinsPlace.namespace, pinsPlace.key);
  return row && pinsOfRow(row);
}

export const pinsOfRow = (row: Row): Pins => decodeRecord(record, row);

/** What the island shows now. Throws what a call throws. */
export async function shownPins(transport: Transport, signal?: AbortSignal): Promise<SaidLog> {
  const { log } = await callApart(transport, 'discovery', {}, signal ? { signal } : {});
  return log;
}

/** Those that are known, or those that the island shows, which are then known. Throws what `shownPins` throws. */
export async function pinsOf(
  storage: Storage,
  transport: Transport,
  signal?: AbortSignal,
): Promise<Pins> {
  return untilCommitted(async () => {
    const row = await storage.read(pinsPlace.namespace, pinsPlace.key);
    if (row) return decodeRecord(record, row);
    const { vkey, vrf, policy, policyNumber, policyEntry } = await shownPins(transport, signal);
    const pins = { vkey, vrf, policy, policyNumber, policyEntry };
    await storage.commit({
      put: [{ ...pinsPlace, bytes: encodeRecord(pins) }],
      expect: [{ ...pinsPlace, version: 0 }],
    });
    return pins;
  });
}

/** What the island said at the first contact, and the log does not hold: it is asked again. */
export const forgetPins = (storage: Storage) => storage.commit({ remove: [pinsPlace] });

export const pinsRow = (pins: Pins): Put => ({ ...pinsPlace, bytes: encodeRecord(pins) });

/** The same policy, seen to. */
export const replacePins = (storage: Storage, pins: LogPins) =>
  storage.commit({ put: [{ ...pinsPlace, bytes: encodeRecord(pins) }] });

/** A policy that was shown to follow the one that is pinned, with what `note` has for the commit; unless another process was first. */
export const followPins = (
  storage: Storage,
  next: LogPins,
  note: (before: Pins) => Promise<Required<Pick<Batch, 'put' | 'expect'>>>,
): Promise<void> =>
  untilCommitted(async () => {
    const row = await storage.read(pinsPlace.namespace, pinsPlace.key);
    const before = row && decodeRecord(record, row);
    if (!before || before.policyNumber >= next.policyNumber) return;
    const noted = await note(before);
    await storage.commit({
      put: [{ ...pinsPlace, bytes: encodeRecord(next) }, ...noted.put],
      expect: [{ ...pinsPlace, version: row.version }, ...noted.expect],
    });
  });
