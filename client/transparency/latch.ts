/**
 * That the directory of this island was caught in a contradiction. From then on no key that it shows is taken
 * over, also after a restart, until a person says that they know; what was known before stays in use.
 * docs/protocol/transparency.md §8
 */
import {
  type TransparencyFault,
  type TransparencyFaultCode,
  transparencyFaults,
} from '@island/protocol/transparency/transparency-fault.ts';
import * as v from 'valibot';
import { Problem } from '../problem.ts';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';

const record = v.strictObject({
  code: v.picklist(Object.keys(transparencyFaults) as TransparencyFaultCode[]),
  /** Unix milliseconds. */
  found: v.number(),
  /** What convinces others, as `.kt-evidence`; not everything that convinces us does. */
  evidence: v.optional(v.string()),
});
export type Latch = v.InferOutput<typeof record>;

/** For who commits something that holds as long as nobody was caught. */
export const latchPlace = { namespace: 'transparency', key: 'latch' };
const place = latchPlace;

/** What a commit that takes over keys expects: another process of this home may have caught the directory meanwhile. */
export const unlatched = { ...place, version: 0 };

export async function readLatch(storage: Storage): Promise<Latch | undefined> {
  const row = await storage.read(place.namespace, place.key);
  return row && decodeRecord(record, row);
}

/** Throws `directory_contradicted` where it was caught before, `directory_anew` where it began another log. */
export async function mustBeUnlatched(storage: Storage): Promise<void> {
  const latch = await readLatch(storage);
  if (latch) throw contradicted(latch.code);
}

export const contradicted = (code: TransparencyFaultCode, cause?: unknown): Problem =>
  code === 'log_succeeded'
    ? new Problem('directory_anew', {}, { cause })
    : new Problem('directory_contradicted', { reason: transparencyFaults[code] }, { cause });

/** The first contradiction is the one that is kept. */
export async function latch(
  storage: Storage,
  fault: TransparencyFault,
  now: number,
  evidence?: string,
): Promise<Problem> {
  await untilCommitted(async () => {
    if (await storage.read(place.namespace, place.key)) return;
    const value = { code: fault.code, found: now, ...(evidence !== undefined && { evidence }) };
    await storage.commit({ put: [{ ...place, bytes: encodeRecord(value) }], expect: [unlatched] });
  });
  return contradicted(fault.code, fault);
}

/** A person has seen it, and goes on with this directory all the same. */
export const unlatch = (storage: Storage) => storage.commit({ remove: [place] });
