/**
 * What a member's device is asked to sign, and what it brings back. docs/protocol/transparency.md §7.6
 *
 * Who brings it is not looked at, and not kept: a signature is the word of its key. A key counts that a policy names, in
 * force, waiting, or being tried; for it one line is looked at, and nothing is kept before that verifies.
 */
import { addCheckpointBody } from '@island/protocol/transparency/add-checkpoint.ts';
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import { isMemberWitness } from '@island/protocol/transparency/member-witness.ts';
import {
  formatVkey,
  type NoteSignature,
  parseNote,
  parseSignatureLines,
  parseVkey,
  sameKeyId,
  type Vkey,
  verifyNote,
} from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { DirectoryStore } from './database.ts';
import { membersOf } from './member-asks.ts';
import { presentPolicies } from './policies.ts';
import type { Submission } from './witness-ask.ts';
import type { Witnesses } from './witnesses.ts';

export interface MemberParts {
  store: DirectoryStore;
  witnesses: Pick<Witnesses, 'asked' | 'ahead' | 'take'>;
  /** The key of the log. */
  vkey: string;
  /** The published checkpoint, and the one that waits. */
  published(): Submission;
  waiting(): Submission | undefined;
  /** Adds a signature to the published checkpoint. */
  cosigned(size: number, signature: NoteSignature): Promise<void>;
}

/** The body of an add-checkpoint request; nothing where the key is not asked for anything. Throws `malformed`. */
export async function requestOfMember(
  { witnesses }: Pick<MemberParts, 'witnesses'>,
  asked: { vkey: string; old: number },
): Promise<{ request?: string }> {
  const submission = witnesses.asked(formatVkey(memberKey(asked.vkey)));
  if (submission === undefined) return {};
  const { note, size, proofFrom } = submission;
  // Who has more is shown what there is here, and says so.
  const old = Math.min(asked.old, size);
  const proof = old === 0 || old === size ? [] : await proofFrom(old);
  return { request: Buffer.from(addCheckpointBody(old, proof, note)).toString('utf8') };
}

/**
 * A signature line for the checkpoint of this size; the same again changes nothing. Throws `malformed`; `not_found` for
 * a key that nobody asks, or a checkpoint that was overtaken; `bad_signature`.
 */
export async function takeFromMember(
  parts: MemberParts,
  asked: { vkey: string; size: number; signature: string },
): Promise<void> {
  const { witnesses, published, waiting, cosigned } = parts;
  const vkey = memberKey(asked.vkey);
  const key = formatVkey(vkey);
  const now = witnesses.asked(key);
  const late = (await isInPolicy(parts, key)) ? [waiting(), published()] : [];
  const submission = [now, ...late].find((each) => each?.size === asked.size);
  if (submission === undefined) throw new Fault('not_found');
  const { text, signatures } = parseNote(submission.note);
  const line = lineOf(asked.signature, vkey);
  if (!verifierOf(vkey).verify(text, line.signature)) throw new Fault('bad_signature');
  const there = signatures.some((one) => isOf(one, vkey));
  if (there && submission !== now) return;
  await witnesses.take(submission, vkey, line);
  if (submission.size === published().size && late.length > 0 && !there)
    await cosigned(submission.size, line);
}

/**
 * The newest checkpoint that a device has signed or seen, larger than what it was asked for: this island was put back to
 * an earlier state. It counts by the signature of the log. Throws `malformed`, `not_found`, `bad_signature`.
 */
export async function hearNewer(
  { witnesses, vkey: log }: Pick<MemberParts, 'witnesses' | 'vkey'>,
  asked: { vkey: string; newest: string },
): Promise<void> {
  const key = formatVkey(memberKey(asked.vkey));
  const submission = witnesses.asked(key);
  if (submission === undefined) throw new Fault('not_found');
  const known = parseVkey(log);
  const size = sizeOf(asked.newest, known);
  if (size > submission.size) witnesses.ahead(known.name, key, size);
}

/** Throws `malformed`, `bad_signature`. */
function sizeOf(note: string, log: Vkey): number {
  try {
    const { text } = verifyNote(note, [verifierOf(log)]);
    const { origin, size } = parseCheckpoint(text);
    if (origin === log.name) return size;
  } catch (cause) {
    if (!(cause instanceof TransparencyFault)) throw cause;
    throw new Fault(cause.code === 'signature_invalid' ? 'bad_signature' : 'malformed', undefined, {
      cause,
    });
  }
  throw new Fault('malformed');
}

async function isInPolicy({ store }: MemberParts, vkey: string): Promise<boolean> {
  const { present, pending } = await presentPolicies(store);
  const policies = [present, pending].flatMap((each) => (each ? [parsePolicy(each.text)] : []));
  return membersOf(policies).includes(vkey);
}

const isOf = ({ name, keyId }: NoteSignature, vkey: Vkey): boolean =>
  name === vkey.name && sameKeyId(keyId, vkey.keyId);

/** Throws `malformed`. */
function memberKey(text: string): Vkey {
  try {
    const vkey = parseVkey(text);
    if (isMemberWitness(vkey)) return vkey;
  } catch (error) {
    if (!(error instanceof TransparencyFault)) throw error;
  }
  throw new Fault('malformed');
}

/** Exactly one, of this key. Throws `malformed`. */
function lineOf(text: string, vkey: Vkey): NoteSignature {
  try {
    const [line, ...more] = parseSignatureLines(text);
    if (line !== undefined && more.length === 0 && isOf(line, vkey)) return line;
  } catch (error) {
    if (!(error instanceof TransparencyFault)) throw error;
  }
  throw new Fault('malformed');
}
