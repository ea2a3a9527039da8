/**
 * The newest checkpoint that the island shows to everybody, as this home's head: nobody is asked about for it, and
 * it costs no token. docs/protocol/transparency.md §6.4, §8.9
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import type { LogPins } from '@island/protocol/transparency/answer.ts';
import { readEpoch } from '@island/protocol/transparency/leaves.ts';
import { parseVkey } from '@island/protocol/transparency/note.ts';
import { checkCheckpoint, parsePolicy } from '@island/protocol/transparency/policy.ts';
import {
  decodeEntries,
  tilePath,
  tileReader,
  tileWidth,
  widthIn,
} from '@island/protocol/transparency/tiles.ts';
import {
  TransparencyFault,
  type TransparencyFaultCode,
} from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { unknownOrigin } from './another-log.ts';
import { evidenceOf } from './convicting.ts';
import { followHead, type Head, HeadConflict, readHead } from './head.ts';
import { latch, mustBeUnlatched } from './latch.ts';
import type { LogFiles } from './log-files.ts';
import { pinsOf } from './pins.ts';
import { underPolicy } from './policy-change.ts';
import { freshness } from './proving.ts';

export interface LogReading {
  storage: Storage;
  transport: Transport;
  files: LogFiles;
  /** Unix milliseconds. */
  now: () => number;
}

const contradictions = new Set<TransparencyFaultCode>(['signature_invalid', 'epoch_invalid']);

/**
 * Resolves with the head that is known afterwards. Throws `unwitnessed`, `directory_ahead`, `log_unproved`,
 * `directory_contradicted`, and what reading the log throws.
 */
export async function refreshHead(reading: LogReading, signal: AbortSignal): Promise<Head> {
  const { storage, transport, files, now } = reading;
  await mustBeUnlatched(storage);
  const before = await readHead(storage);
  const pins = await pinsOf(storage, transport, signal);
  const note = new TextDecoder().decode(await files.read('checkpoint', signal));
  try {
    const check = ({ policy, vkey }: LogPins) =>
      checkCheckpoint(parsePolicy(policy), note, { allowUnwitnessed: true, log: parseVkey(vkey) });
    const { checkpoint } = await underPolicy({ storage, files, pins }, check, signal);
    const { size, root } = checkpoint;
    const epoch = await lastEpoch(files, { size, root }, signal);
    if (epoch > now() + freshness) throw new Problem('directory_ahead');
    const shown = { size, root, epoch, note };
    await followHead(storage, files, shown, before, signal);
    return (await readHead(storage)) ?? shown;
  } catch (error) {
    if (error instanceof HeadConflict) {
      const evidence = await evidenceOf(error, { pins, files, signal });
      throw await latch(storage, error.fault, now(), evidence);
    }
    if (!(error instanceof TransparencyFault)) throw error;
    if (error.code === 'unknown_origin')
      throw await latch(storage, await unknownOrigin(storage, transport, pins.vkey, signal), now());
    if (error.code === 'quorum_missing') throw new Problem('unwitnessed', {}, { cause: error });
    if (contradictions.has(error.code)) throw await latch(storage, error, now());
    throw new Problem('log_unproved', {}, { cause: error });
  }
}

/** Its time, Unix milliseconds: the last entry of a checkpoint is an epoch, or the log is none of ours. */
async function lastEpoch(
  files: LogFiles,
  checkpoint: { size: number; root: Uint8Array },
  signal: AbortSignal,
): Promise<number> {
  const at = checkpoint.size - 1;
  if (at < 0) throw new TransparencyFault('epoch_invalid');
  const index = Math.floor(at / tileWidth);
  const width = widthIn(checkpoint.size, 'entries', index);
  const bundle = await files.read(tilePath({ level: 'entries', index, width }), signal);
  const read = tileReader(checkpoint, (path) => files.read(path, signal));
  let entry: Uint8Array;
  try {
    entry = decodeEntries(bundle, width).at(-1) ?? new Uint8Array(0);
    if (!equal(await read(0, at), leafHash(entry))) throw new Fault('malformed');
  } catch (cause) {
    const unproved = cause instanceof TransparencyFault || isForm(cause);
    throw unproved ? new Problem('log_unproved', {}, { cause }) : cause;
  }
  try {
    return readEpoch(entry).timestamp;
  } catch (cause) {
    throw new TransparencyFault('epoch_invalid', { cause });
  }
}

const isForm = (error: unknown): boolean =>
  error instanceof Fault && ['malformed', 'truncated', 'trailing_bytes'].includes(error.code);
