/**
 * A new witness policy: it counts once the log holds it, in a checkpoint that satisfies the policy that is known
 * here. Where the island was witnessed once it stays so. docs/protocol/transparency.md §8
 */
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import type { LogPins } from '@island/protocol/transparency/answer.ts';
import { encodeOperator, operatorKinds } from '@island/protocol/transparency/leaves.ts';
import { parseVkey } from '@island/protocol/transparency/note.ts';
import { checkCheckpoint, parsePolicy } from '@island/protocol/transparency/policy.ts';
import { tileReader } from '@island/protocol/transparency/tiles.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Storage } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { type LogFiles, openLogFiles } from './log-files.ts';
import { readPins, replacePins, shownPins } from './pins.ts';

export interface PolicyChange {
  storage: Storage;
  transport: Transport;
  files: LogFiles;
  pins: LogPins;
}

/**
 * The policy that the island has now, if the log shows that it follows the known one; then it is the known one.
 * `undefined` where there is none, or it is not shown. Throws what a call throws.
 */
export async function adoptPolicy(
  { storage, transport, files, pins }: PolicyChange,
  signal?: AbortSignal,
): Promise<LogPins | undefined> {
  const shown = await shownPins(transport, signal);
  const { policy, policyNumber, policyEntry } = shown;
  if (policyEntry === undefined || policyNumber <= pins.policyNumber) return undefined;
  if (!isLawful(pins.policy, policy)) return undefined;
  const note = new TextDecoder().decode(await files.read('checkpoint', signal));
  try {
    const log = parseVkey(pins.vkey);
    const options = { allowUnwitnessed: true, log };
    const { checkpoint } = checkCheckpoint(parsePolicy(pins.policy), note, options);
    const read = tileReader(checkpoint, (path) => files.read(path, signal));
    const hash = sha256(utf8Bytes(policy));
    const entry = encodeOperator({ kind: operatorKinds.policy, number: policyNumber, hash });
    if (!equal(await read(0, policyEntry), leafHash(entry))) return undefined;
  } catch (error) {
    if (
      error instanceof TransparencyFault ||
      (error instanceof Fault && error.code === 'malformed')
    )
      return undefined;
    throw error;
  }
  const next = { ...pins, policy, policyNumber };
  await replacePins(storage, next);
  return next;
}

/** Of another form it is none; and one that asks for nobody does not follow one that asks for somebody. */
function isLawful(before: string, after: string): boolean {
  try {
    const asks = (text: string) => parsePolicy(text).quorum !== undefined;
    return asks(after) || !asks(before);
  } catch {
    return false;
  }
}

/** The same, of the pins that this home has; nothing where it has none yet. */
export async function renewPolicy(
  { storage, transport }: Pick<PolicyChange, 'storage' | 'transport'>,
  signal?: AbortSignal,
): Promise<void> {
  const pins = await readPins(storage);
  if (pins) await adoptPolicy({ storage, transport, files: openLogFiles(transport), pins }, signal);
}
