/**
 * A new witness policy: it counts once the log holds it, in a checkpoint that satisfies the policy that is known
 * here, and itself. Where the island was witnessed once it stays so. docs/protocol/transparency.md §8.3
 */
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import type { LogPins } from '@island/protocol/transparency/answer.ts';
import { encodeOperator, operatorKinds } from '@island/protocol/transparency/leaves.ts';
import { noteFromBytes, parseVkey } from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import { parseTlogProof, verifyTlogProof } from '@island/protocol/transparency/tlog-proof.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Storage } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { type LogFiles, openLogFiles } from './log-files.ts';
import { followPins, readPins } from './pins.ts';
import { noteWitnessChange } from './witness-change.ts';

export interface PolicyChange {
  storage: Storage;
  files: LogFiles;
  pins: LogPins;
}

/** Policies that are followed at once: an island without witnesses can make any number. */
const mostSteps = 100;

/** What `check` gives under the policy that is known, or under one that follows it. Throws what `check` throws. */
export async function underPolicy<T>(
  change: PolicyChange,
  check: (pins: LogPins) => T,
  signal?: AbortSignal,
): Promise<T> {
  try {
    return check(change.pins);
  } catch (error) {
    if (!(error instanceof TransparencyFault && error.code === 'quorum_missing')) throw error;
    const next = await adoptPolicy(change, signal);
    if (!next) throw error;
    return check(next);
  }
}

/**
 * The newest policy to which the log goes on from the known one, policy by policy; then it is the known one.
 * `undefined` where there is none, or it is not shown. Throws what a call throws.
 */
export async function adoptPolicy(
  { storage, files, pins }: PolicyChange,
  signal?: AbortSignal,
): Promise<LogPins | undefined> {
  let known = pins;
  for (let step = 0; step < mostSteps; step++) {
    const next = await nextPolicy(files, known, signal);
    if (!next) break;
    known = next;
  }
  if (known === pins) return undefined;
  await followPins(storage, known, (before) => noteWitnessChange(storage, before.policy));
  return known;
}

async function nextPolicy(
  files: LogFiles,
  pins: LogPins,
  signal?: AbortSignal,
): Promise<LogPins | undefined> {
  const policyNumber = pins.policyNumber + 1;
  try {
    const file = await files.read(`policy/${policyNumber}`, signal);
    const shown = parseTlogProof(noteFromBytes(file));
    const { extra = new Uint8Array(0) } = shown;
    const policy = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(extra);
    const [before, after] = [parsePolicy(pins.policy), parsePolicy(policy)];
    // One that asks for nobody does not follow one that asks for somebody.
    if (before.quorum !== undefined && after.quorum === undefined) return undefined;
    const hash = sha256(extra);
    const entry = encodeOperator({ kind: operatorKinds.policy, number: policyNumber, hash });
    const options = { allowUnwitnessed: true, log: parseVkey(pins.vkey) };
    for (const each of [before, after]) verifyTlogProof(shown, leafHash(entry), each, options);
    const { vkey, vrf } = pins;
    return { vkey, vrf, policy, policyNumber };
  } catch (error) {
    const unshown =
      error instanceof TransparencyFault ||
      error instanceof TypeError ||
      (error instanceof Fault && (error.code === 'malformed' || error.code === 'not_found'));
    if (unshown) return undefined;
    throw error;
  }
}

/** The same, of the pins that this home has; nothing where it has none yet. */
export async function renewPolicy(
  { storage, transport }: { storage: Storage; transport: Transport },
  signal?: AbortSignal,
): Promise<void> {
  const pins = await readPins(storage);
  if (pins) await adoptPolicy({ storage, files: openLogFiles(transport), pins }, signal);
}
