/**
 * One witness and one checkpoint, as often as it takes: the client of c2sp.org/tlog-witness.
 * docs/protocol/transparency.md §7
 */

import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { addCheckpointBody } from '@island/protocol/transparency/add-checkpoint.ts';
import { parseCheckpoint, parseDecimal } from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import {
  type NoteSignature,
  parseNote,
  parseSignatureLines,
  sameKeyId,
  type Vkey,
  verifyNote,
} from '@island/protocol/transparency/note.ts';
import type { Policy } from '@island/protocol/transparency/policy.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { backoff, pause } from '../kit/backoff.ts';
import type { witnessProblems } from './contract.ts';
import type { WitnessDoor } from './witness-door.ts';

/** A checkpoint that the log has signed, with what a witness wants to see of it. */
export interface Submission {
  note: string;
  size: number;
  /** It is the first of its log: no witness has signed anything of that before. */
  first?: true;
  /** Consistency proof from a smaller size, not 0, to this one. */
  proofFrom(oldSize: number): Promise<readonly Uint8Array[]>;
}

/**
 * Why a witness has not signed. `unreachable`: no answer, an error of its own, or too many questions. `untrusting`:
 * it does not know this log (yet), or not this key of it. `ahead`: it has signed a larger tree, so this log was put
 * back to an earlier state. `refused`: it has signed another tree, or finds no sense in the request. `unsigned`: its
 * answer has no signature of the key in the policy.
 */
export type WitnessProblem = (typeof witnessProblems)[number];

export type WitnessAttempt =
  | { signature: NoteSignature }
  | { problem: WitnessProblem; size?: number };

/** Rounds of "that is not my size" within one attempt: another one asks at the same time, or it plays with us. */
const mostConflicts = 4;

/**
 * Asks once, with as many corrections of the size as a witness that lost an answer may need. A signature whose answer
 * was lost is asked for again, with the size that the witness then says.
 * @param known the size that it is believed to have signed last
 */
export async function attempt(
  { door, vkey }: { door: WitnessDoor; vkey: Vkey },
  { note, size, proofFrom }: Submission,
  known: number,
  signal: AbortSignal,
): Promise<WitnessAttempt> {
  let old = Math.min(known, size);
  for (let conflicts = 0; ; conflicts++) {
    const proof = old === 0 || old === size ? [] : await proofFrom(old);
    const body = addCheckpointBody(old, proof, note);
    const { status, type, body: text } = await door.post('/add-checkpoint', body, signal);
    if (status === 200) return signatureIn(text, note, vkey);
    if (status === 409 && type.split(';', 1)[0]?.trim() === 'text/x.tlog.size') {
      const theirs = text.endsWith('\n') ? parseDecimal(text.slice(0, -1)) : undefined;
      if (theirs === undefined) return { problem: 'refused' };
      if (theirs > size) return { problem: 'ahead', size: theirs };
      if (conflicts === mostConflicts || theirs === old) return { problem: 'refused' };
      old = theirs;
      continue;
    }
    if (status === 403 || status === 404) return { problem: 'untrusting' };
    if (status === 400 || status === 409 || status === 422) return { problem: 'refused' };
    return { problem: 'unreachable' };
  }
}

/** Whatever else is in the answer is passed over. */
function signatureIn(answer: string, note: string, vkey: Vkey): WitnessAttempt {
  const { text } = parseNote(note);
  const verifier = verifierOf(vkey);
  const signature = linesOf(answer).find(
    ({ name, keyId, signature }) =>
      name === vkey.name && sameKeyId(keyId, vkey.keyId) && verifier.verify(text, signature),
  );
  return signature === undefined ? { problem: 'unsigned' } : { signature };
}

function linesOf(answer: string): NoteSignature[] {
  try {
    return parseSignatureLines(answer);
  } catch (error) {
    if (error instanceof TransparencyFault) return [];
    throw error;
  }
}

/** Milliseconds: for who does not answer, and for who has to be told something by a person first. */
const soon = { first: 250, most: 10_000 };
const later = { first: 2_000, most: 30_000 };

/**
 * Asks until it has signed, or `signal` says to stop: also one that says that it has signed too much, which may be a
 * lie that it does not repeat. `told` hears of every attempt.
 */
export async function persist(
  asked: { door: WitnessDoor; vkey: Vkey },
  submission: Submission,
  known: () => Promise<number>,
  { signal, told }: { signal: AbortSignal; told(came: WitnessAttempt): void },
): Promise<NoteSignature | undefined> {
  for (let failures = 1; !signal.aborted; failures++) {
    const came = await attempt(asked, submission, await known(), signal).catch(
      (): WitnessAttempt => ({ problem: 'unreachable' }),
    );
    if (signal.aborted) return undefined;
    told(came);
    if ('signature' in came) return came.signature;
    const wait = came.problem === 'unreachable' ? soon : later;
    await pause(backoff(wait, failures), signal);
  }
  return undefined;
}

/** The size of the newest checkpoint that a witness can show of this log, under the log's own signature. */
export async function shown(
  door: WitnessDoor,
  { logs }: Policy,
  { note }: Submission,
  signal: AbortSignal,
): Promise<number> {
  const { origin } = parseCheckpoint(parseNote(note).text);
  const { status, body } = await door.get(`/${hex(sha256(utf8Bytes(origin)))}/checkpoint`, signal);
  if (status !== 200) return 0;
  const { text } = verifyNote(
    body,
    logs.map(({ vkey }) => verifierOf(vkey)),
  );
  const seen = parseCheckpoint(text);
  return seen.origin === origin ? seen.size : 0;
}
