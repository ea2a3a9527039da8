/**
 * From the tree that we have to the one that the log signed now: every entry between them is fetched, kept, and hashed
 * onto our own frontier. Only a root that comes out of that is taken. Where it does not, tiles say whether the
 * log rewrote what it had signed, which convicts it, or whoever serves it serves something else.
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import type { Checkpoint } from '@island/protocol/transparency/checkpoint.ts';
import {
  decodeEntries,
  encodeEntries,
  tileReader,
  tileWidth,
  widthIn,
} from '@island/protocol/transparency/tiles.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import { consistencyProof, rootAt } from '@island/protocol/transparency/tree-proofs.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64, fromBase64 } from '@island/protocol/wire/text.ts';
import type { Cause } from './findings.ts';
import { type Frontier, openFrontier } from './frontier.ts';
import { type LogSource, Missing } from './log-source.ts';
import type { OwnLog } from './own-log.ts';

export interface Growing {
  log: OwnLog;
  source: LogSource;
  /** What the log signed, larger than what we have. */
  checkpoint: Checkpoint;
  note: string;
  /** How many of the new entries are here. */
  tell(done: number, all: number): void;
  signal?: AbortSignal;
}

/** The new entries are ours, or why they can't be. */
export type Growth =
  | undefined
  | { cause: Cause; more: string }
  | { cause: 'rewritten'; more: string; prefix: { root: Uint8Array; proof: Uint8Array[] } };

/** Bundles on their way at once. */
const ahead = 6;

interface Edge {
  frontier: Frontier;
  /** Of the file of entries. */
  bytes: number;
}

const edgeOf = ({ kept }: OwnLog): Edge => ({
  frontier: openFrontier({ size: kept.size, hashes: kept.frontier.map(fromBase64) }),
  bytes: kept.bytes,
});

export async function grow(growing: Growing): Promise<Growth> {
  const { log, checkpoint, note } = growing;
  const left = await leftOver(log, checkpoint.size);
  for (const from of [left, edgeOf(log)]) {
    const refused = await fetchEntries(growing, from);
    if (refused !== undefined) return refused;
    if (equal(from.frontier.root(), checkpoint.root)) {
      const { size } = checkpoint;
      await log.keep({ note, size, bytes: from.bytes, frontier: from.frontier.hashes.map(base64) });
      return undefined;
    }
    // What an earlier run left unverified may be what is wrong: once more without it.
    if (left.resumed === 0) break;
  }
  return whyOther(growing);
}

/** Entries that a run fetched before it was cut off. */
async function leftOver(log: OwnLog, most: number): Promise<Edge & { resumed: number }> {
  const edge = { ...edgeOf(log), resumed: 0 };
  for await (const entry of log.entries(edge.bytes)) {
    if (edge.frontier.size === most) break;
    edge.frontier.push(leafHash(entry));
    edge.bytes += 2 + entry.length;
    edge.resumed++;
  }
  return edge;
}

async function fetchEntries(growing: Growing, edge: Edge): Promise<Growth> {
  const { log, source, checkpoint, tell, signal } = growing;
  const { size } = checkpoint;
  const began = log.kept.size;
  const coming: Promise<Uint8Array>[] = [];
  const first = Math.floor(edge.frontier.size / tileWidth);
  let next = first;
  const ask = (): void => {
    const width = widthIn(size, 'entries', next);
    if (width === 0) return;
    const bundle = source.tile({ level: 'entries', index: next++, width }, signal);
    // It is awaited in its turn; what is never awaited is of no interest.
    bundle.catch(() => undefined);
    coming.push(bundle);
  };
  for (let i = 0; i < ahead; i++) ask();
  for (let index = first; edge.frontier.size < size; index++) {
    let entries: Uint8Array[];
    try {
      const bytes = await (coming.shift() ?? Promise.reject(new RangeError('no bundle')));
      entries = decodeEntries(bytes, widthIn(size, 'entries', index));
    } catch (error) {
      if (error instanceof Missing)
        return { cause: 'withheld', more: `Bundle ${index} is missing.` };
      if (error instanceof Fault)
        return { cause: 'root_mismatch', more: `Bundle ${index} is in no form.` };
      throw error;
    }
    ask();
    const fresh = entries.slice(edge.frontier.size - index * tileWidth);
    for (const entry of fresh) edge.frontier.push(leafHash(entry));
    const bytes = encodeEntries(fresh);
    await log.append(edge.bytes, bytes);
    edge.bytes += bytes.length;
    tell(edge.frontier.size - began, size - began);
  }
  return undefined;
}

/** Nothing is taken over from what is read here: it serves to convict, or to say why not. */
async function whyOther({ log, source, checkpoint, signal }: Growing): Promise<Growth> {
  const { kept } = log;
  const more = `They do not make up the root of ${checkpoint.size} entries.`;
  if (kept.size === 0) return { cause: 'root_mismatch', more };
  const read = tileReader(checkpoint, (_, tile) => source.tile(tile, signal));
  try {
    const root = await rootAt(kept.size, read);
    const before = openFrontier({ size: kept.size, hashes: kept.frontier.map(fromBase64) }).root();
    if (equal(root, before)) return { cause: 'root_mismatch', more };
    const proof = await consistencyProof(kept.size, checkpoint.size, read);
    return {
      cause: 'rewritten',
      more: `${kept.size} entries were there; ${checkpoint.size} are, and begin otherwise.`,
      prefix: { root, proof },
    };
  } catch (error) {
    const known = error instanceof TransparencyFault || error instanceof Fault;
    if (!known && !(error instanceof Missing)) throw error;
    return { cause: 'root_mismatch', more: `${more} Its tiles do not, either.` };
  }
}
