/**
 * How far this home has seen the log: of two checkpoints that it was ever shown one contains the other, or
 * the island is caught. docs/protocol/transparency.md §8
 */

import { equal } from '@island/protocol/crypto/primitives.ts';
import { parseVkey } from '@island/protocol/transparency/note.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { rootAt } from '@island/protocol/transparency/tree-proofs.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { Problem } from '../problem.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Row, type Storage, untilCommitted } from '../storage/storage.ts';
import { hashesOf, type LogFiles } from './log-files.ts';
import { pinsOfRow, pinsPlace } from './pins.ts';

const record = v.strictObject({
  size: s.count,
  root: bytes64,
  /** Of its last epoch, Unix milliseconds by the island's clock. */
  epoch: v.number(),
  /** The signed note itself: half of the evidence, should there be another of its size. */
  note: v.string(),
});
export type Head = v.InferOutput<typeof record>;

/** For who commits something that holds with this head alone. */
export const headPlace = { namespace: 'transparency', key: 'head' };
const place = headPlace;

export async function readHead(storage: Storage): Promise<Head | undefined> {
  const row = await storage.read(place.namespace, place.key);
  return row && decodeRecord(record, row);
}

type Conflict = 'forked' | 'consistency_invalid' | 'rolled_back' | 'epoch_invalid';

/** What contradicts itself, with the head that it contradicts. */
export class HeadConflict extends Error {
  override name = 'HeadConflict';
  readonly fault: TransparencyFault;
  readonly known: Head;
  readonly shown: Head;

  constructor(code: Conflict, known: Head, shown: Head) {
    const fault = new TransparencyFault(code);
    super(fault.message);
    this.fault = fault;
    this.known = known;
    this.shown = shown;
  }
}

/**
 * Takes what was shown for the newest head if it is, and compares it with the known one if it is not. `before`:
 * the head when the question was asked; answers may cross, but none may be older than that. Throws
 * `HeadConflict`, `log_unproved`, and what reading the log throws.
 */
export async function followHead(
  storage: Storage,
  files: LogFiles,
  shown: Head,
  before: Head | undefined,
  signal?: AbortSignal,
): Promise<void> {
  await untilCommitted(async () => {
    const pins = await storage.read(pinsPlace.namespace, pinsPlace.key);
    mustBeOf(pins, shown);
    const row = await storage.read(place.namespace, place.key);
    const known = row && decodeRecord(record, row);
    if (known) {
      if (before && shown.size < before.size) throw new HeadConflict('rolled_back', before, shown);
      const [older, newer] = shown.size < known.size ? [shown, known] : [known, shown];
      if (!(await contains(files, newer, older, signal))) {
        const code = older.size === newer.size ? 'forked' : 'consistency_invalid';
        throw new HeadConflict(code, known, shown);
      }
      if (older.epoch > newer.epoch) throw new HeadConflict('epoch_invalid', known, shown);
      if (newer === known || older.size === newer.size) return;
    }
    const version = row?.version ?? 0;
    const put = [{ ...place, bytes: encodeRecord(shown) }];
    const expect = [
      { ...place, version },
      { ...pinsPlace, version: pins?.version ?? 0 },
    ];
    await storage.commit({ put, expect });
  });
}

/**
 * Throws `log_unproved` for the head of another log than the pinned one: a person has gone on with that since the
 * question was asked, and of two logs neither contains the other.
 */
function mustBeOf(pins: Row | undefined, { note }: Head): void {
  if (!pins) return;
  const { name } = parseVkey(pinsOfRow(pins).vkey);
  if (!note.startsWith(`${name}\n`)) throw new Problem('log_unproved');
}

/** Whether the log of `newer` begins with that of `older`. Throws as `rootIn` does. */
const contains = async (files: LogFiles, newer: Head, older: Head, signal?: AbortSignal) =>
  equal(await rootIn(files, newer, older.size, signal), older.root);

/**
 * The root that the log of `head` had at a size up to its own: every hash that says so is checked against the root
 * of `head`. Throws `log_unproved` for tiles that are not those of `head`: they prove nothing, to nobody.
 */
export async function rootIn(
  files: LogFiles,
  head: Pick<Head, 'size' | 'root'>,
  size: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (size === head.size) return head.root;
  return rootAt(size, hashesOf(files, head, signal));
}
