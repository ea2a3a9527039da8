/**
 * Whether what others have seen of the log is what this home would have seen at that size. Who says something else
 * may lie as well as the island may: a person hears of it, and no key is refused because of it. Only what the
 * island itself has signed catches it. docs/protocol/transparency.md §8.9
 *
 * One check an hour and contact, of the newest that was heard; it reads the log like anybody, and costs no token.
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { isAccepted, isBlocked, readContact } from '../people/contacts.ts';
import { Problem } from '../problem.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { Conflict, type Storage, untilCommitted } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { allHeard, type Heard, heardNamespace, isRecent } from './gossip.ts';
import { type Head, rootIn } from './head.ts';
import { readLatch } from './latch.ts';
import { openLogFiles } from './log-files.ts';
import { refreshHead } from './newest-head.ts';

const difference = v.strictObject({
  size: s.count,
  /** Of so many entries: what they say, and what this home's log has. */
  theirs: bytes64,
  ours: bytes64,
  /** Unix milliseconds. */
  found: v.number(),
  /** A person was shown it. */
  told: v.optional(v.literal(true)),
});
const record = v.strictObject({
  /** Unix milliseconds of the last check. */
  at: v.number(),
  differs: v.optional(difference),
});
export type Difference = v.InferOutput<typeof difference> & { account: AccountId };

export const comparedNamespace = 'log-compared';
const namespace = comparedNamespace;

export interface Comparing {
  storage: Storage;
  transport: Transport;
  /** Unix milliseconds. */
  now: () => number;
}

/** Milliseconds: nobody is told of one contact more often, and what could not be compared is forgotten. */
const week = 604_800_000;

/**
 * Compares what was heard, as far as it is time. What could not be checked stays for the next time; throws why,
 * once all others are done: `directory_contradicted`, and what `refreshHead` and reading the log throw.
 */
export async function compareHeard(comparing: Comparing, signal: AbortSignal): Promise<void> {
  const { storage, transport, now } = comparing;
  // It was caught: there is no more to find out, and a person knows.
  if (await readLatch(storage)) return;
  const files = openLogFiles(transport);
  const reading = { storage, transport, files, now };
  let refreshed: Promise<Head> | undefined;
  let failure: unknown;
  for (const heard of await allHeard(storage)) {
    if (!(await isDue(comparing, heard))) continue;
    try {
      // Once for all of them, and always: tiles of an older size would say which one this home has seen.
      refreshed ??= refreshHead(reading, signal);
      const head = await refreshed;
      // Where not even the island shows so much there is nothing to compare yet.
      const beyond = heard.size > head.size;
      const ours = beyond ? undefined : await rootIn(files, head, heard.size, signal);
      await settle(storage, heard, ours, now());
    } catch (error) {
      if (signal.aborted) return;
      failure ??= error;
      if (error instanceof Problem && error.code === 'unreachable') break;
    }
  }
  if (failure !== undefined) throw failure;
}

/** Whether it is to be compared now; what never will be is forgotten. */
async function isDue({ storage, now }: Comparing, heard: Heard): Promise<boolean> {
  const { account, at, version } = heard;
  const contact = await readContact(storage, account);
  if (isBlocked(contact) || now() - at > week) {
    const place = { namespace: heardNamespace, key: account };
    await storage.commit({ remove: [place], expect: [{ ...place, version }] }).catch(otherwise);
    return false;
  }
  if (!isAccepted(contact)) return false;
  const row = await storage.read(namespace, account);
  return !row || !isRecent(decodeRecord(record, row).at, now());
}

/** They have said something newer meanwhile. */
function otherwise(error: unknown): void {
  if (!(error instanceof Conflict)) throw error;
}

/** `ours`: the root of our log at that size; none yet, and it is looked at again. */
const settle = (storage: Storage, heard: Heard, ours: Uint8Array | undefined, now: number) =>
  untilCommitted(async () => {
    const { account, size, root, version } = heard;
    const row = await storage.read(namespace, account);
    const before = row && decodeRecord(record, row).differs;
    const isOld = before?.told && now - before.found > week;
    const differs =
      ours && !equal(ours, root) && (!before || isOld)
        ? { size, theirs: root, ours, found: now }
        : ours && isOld
          ? undefined
          : before;
    const place = { namespace: heardNamespace, key: account };
    const isNewest = (await storage.read(place.namespace, place.key))?.version === version;
    const over = ours && isNewest ? [place] : [];
    await storage.commit({
      put: [{ namespace, key: account, bytes: encodeRecord({ at: now, differs }) }],
      remove: over,
      expect: [
        { namespace, key: account, version: row?.version ?? 0 },
        ...over.map((each) => ({ ...each, version })),
      ],
    });
  });

/** What contacts have said otherwise, also what a person was shown. */
export const differences = async (storage: Storage): Promise<Difference[]> =>
  (await storage.list(namespace)).flatMap((row) => {
    const { differs } = decodeRecord(record, row);
    return differs ? [{ ...differs, account: row.key as AccountId }] : [];
  });

/** A person was shown it. */
export const markTold = (storage: Storage, account: AccountId): Promise<void> =>
  untilCommitted(async () => {
    const row = await storage.read(namespace, account);
    if (!row) return;
    const { at, differs } = decodeRecord(record, row);
    if (!differs || differs.told) return;
    await storage.commit({
      put: [
        {
          namespace,
          key: account,
          bytes: encodeRecord({ at, differs: { ...differs, told: true } }),
        },
      ],
      expect: [{ namespace, key: account, version: row.version }],
    });
  });
