/**
 * Witnesses that nobody can ask over a line: the request goes to them by hand, and so do their signatures.
 * docs/protocol/transparency.md §7.5
 *
 * A signature counts only once it verifies for a checkpoint that the log signed and that is not overtaken: the one that
 * waits for its witnesses, or the published one.
 */
import { addCheckpointBody } from '@island/protocol/transparency/add-checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import {
  formatVkey,
  type NoteSignature,
  parseNote,
  parseSignatureLines,
  parseVkey,
  sameKeyId,
  type Vkey,
} from '@island/protocol/transparency/note.ts';
import { type Policy, parsePolicy } from '@island/protocol/transparency/policy.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { DirectoryStore } from './database.ts';
import { presentPolicies } from './policies.ts';
import type { Submission } from './witness-ask.ts';
import type { KnownSizes, Witnesses } from './witnesses.ts';

export interface CarriedParts {
  store: DirectoryStore;
  known: KnownSizes;
  witnesses: Pick<Witnesses, 'take'>;
  /** The published checkpoint, and the one that waits. */
  published(): Submission;
  waiting(): Submission | undefined;
  /** Adds a signature to the published checkpoint. */
  cosigned(size: number, signature: NoteSignature): Promise<void>;
}

/** A witness by its name in a policy, or by its key. Throws `not_found`, `malformed`. */
async function witnessOf(store: DirectoryStore, named: string): Promise<Vkey> {
  const policies = await policiesNow(store);
  const found = policies.flatMap(({ witnesses }) => witnesses).find(({ name }) => name === named);
  if (found !== undefined) return found.vkey;
  if (!named.includes('+')) throw new Fault('not_found');
  return ofWitness(named);
}

async function policiesNow(store: DirectoryStore): Promise<Policy[]> {
  const { present, pending } = await presentPolicies(store);
  return [present, pending].flatMap((each) => (each === undefined ? [] : [parsePolicy(each.text)]));
}

/** Throws `malformed` for what is no key of a witness. */
function ofWitness(text: string): Vkey {
  try {
    const vkey = parseVkey(text);
    verifierOf(vkey);
    return vkey;
  } catch (cause) {
    if (!(cause instanceof TransparencyFault)) throw cause;
    throw new Fault('malformed', undefined, { cause });
  }
}

export interface CarriedRequest {
  /** The body of `add-checkpoint`. */
  request: string;
  size: number;
  /** Whether it is published already. */
  published: boolean;
}

/** @param asked.old the size that the witness says it has signed, where that is not what is known here */
export async function requestFor(
  { store, known, published, waiting }: CarriedParts,
  asked: { witness: string; old?: number | undefined },
): Promise<CarriedRequest> {
  const vkey = formatVkey(await witnessOf(store, asked.witness));
  const open = waiting();
  const { note, size, first, proofFrom } = open ?? published();
  const old = first ? 0 : Math.min(asked.old ?? (await known.size(vkey)), size);
  const proof = old === 0 || old === size ? [] : await proofFrom(old);
  const request = Buffer.from(addCheckpointBody(old, proof, note)).toString('utf8');
  return { request, size, published: open === undefined };
}

export interface Taken {
  name: string;
  size: number;
  published: boolean;
}

/**
 * Signature lines, as `cosign` of another island writes them. Those of keys that nobody here knows are passed over.
 * Throws `malformed` for what is no line, `not_found` where none of them verifies for a checkpoint of now.
 */
export async function takeSignatures(
  { store, witnesses, published, waiting, cosigned }: CarriedParts,
  asked: { signatures: string; witness?: string | undefined },
): Promise<Taken[]> {
  const lines = linesOf(asked.signatures);
  const inPolicy = (await policiesNow(store)).flatMap((policy) =>
    policy.witnesses.map(({ name, vkey }) => ({ name, vkey })),
  );
  const named = asked.witness === undefined ? undefined : await witnessOf(store, asked.witness);
  const candidates = named === undefined ? inPolicy : [{ name: named.name, vkey: named }];
  const open = waiting();
  const taken = new Map<string, Taken>();
  for (const submission of open === undefined ? [published()] : [open, published()]) {
    for (const { name, vkey } of candidates) {
      const key = formatVkey(vkey);
      const line = lines.find((one) => signs(one, vkey, submission.note));
      if (line === undefined || taken.has(key)) continue;
      await witnesses.take(submission, vkey, line);
      const known = inPolicy.some((one) => formatVkey(one.vkey) === key);
      if (submission !== open && known) await cosigned(submission.size, line);
      taken.set(key, { name, size: submission.size, published: submission !== open });
    }
  }
  if (taken.size === 0) throw new Fault('not_found');
  return [...taken.values()];
}

function linesOf(text: string): NoteSignature[] {
  try {
    return parseSignatureLines(text);
  } catch (cause) {
    if (!(cause instanceof TransparencyFault)) throw cause;
    throw new Fault('malformed', undefined, { cause });
  }
}

function signs({ name, keyId, signature }: NoteSignature, vkey: Vkey, note: string): boolean {
  const meant = name === vkey.name && sameKeyId(keyId, vkey.keyId);
  return meant && verifierOf(vkey).verify(parseNote(note).text, signature);
}
