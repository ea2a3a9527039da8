/**
 * One checkpoint that this device is asked to sign as a witness: signed if it goes on from everything that the device
 * has signed, and from everything that its own client has accepted. docs/protocol/transparency.md §7.6
 *
 * Invariants: what is signed is committed before the signature leaves, against the very rows that it was judged by;
 * two roots of one size are never signed. A directory that was caught gets nothing.
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import {
  type AddCheckpoint,
  checkGrowth,
  parseAddCheckpoint,
} from '@island/protocol/transparency/add-checkpoint.ts';
import { openCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import {
  addSignatures,
  parseNote,
  parseVkey,
  sameKeyId,
  signatureLine,
} from '@island/protocol/transparency/note.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Problem } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import { Conflict, type Storage } from '../storage/storage.ts';
import { evidenceOf } from './convicting.ts';
import { type Head, HeadConflict, headPlace, readHead } from './head.ts';
import { latch, latchPlace, mustBeUnlatched } from './latch.ts';
import { openLogFiles } from './log-files.ts';
import { type Pins, pinsOf } from './pins.ts';
import { type DeviceWitness, readWitness, retiredWitness, signedRow } from './witness-key.ts';

export interface CosigningParts {
  storage: Storage;
  session: Pick<Session, 'call' | 'transport'>;
  /** Unix milliseconds. */
  now: () => number;
}

/** `behind`: it is smaller than what was seen here; the island was told, and shown that. */
export type Cosigned = 'nothing' | 'signed' | 'behind';

type Seen = Pick<Head, 'size' | 'root' | 'note'>;

/**
 * Asks what there is to sign, and signs it. Throws `directory_contradicted`, with the evidence kept, for another
 * checkpoint of a known size; `witness_refused` for what does not go on; `witness_put_back`; `Conflict` where something
 * changed meanwhile; and what a call throws.
 */
export async function cosign(parts: CosigningParts, signal: AbortSignal): Promise<Cosigned> {
  const { storage, session, now } = parts;
  if (!(await readWitness(storage))?.on) return 'nothing';
  await mustBeUnlatched(storage);
  const pins = await pinsOf(storage, session.transport, signal);
  const log = parseVkey(pins.vkey).name;
  const witness = await readWitness(storage, log);
  if (!witness?.on || !witness.cosigner) return 'nothing';
  const row = await storage.read(headPlace.namespace, headPlace.key);
  const known = await readHead(storage);
  const { cosigner, signed } = witness;
  if (known) await mustRemember(storage, witness, known.note);
  const asked = await requestFrom(parts, witness.vkey, signed.size, signal);
  if (!asked) return 'nothing';
  const shown = openShown(asked, pins);
  await mustRemember(storage, witness, shown.note);
  for (const seen of [signed, known])
    if (seen && seen.size === shown.size && !equal(seen.root, shown.root))
      throw await caught(parts, pins, seen, shown);
  const newest = known && known.size > signed.size ? known : signed;
  if (newest.size > shown.size) {
    await session.call('witnessNewest', { vkey: witness.vkey, newest: newest.note }, { signal });
    return 'behind';
  }
  grows(asked, shown, signed);
  if (known && known.size !== shown.size && known.size !== signed.size) {
    const again = await requestFrom(parts, witness.vkey, known.size, signal);
    // Another one is asked for by now.
    if (again?.note !== asked.note) throw new Conflict();
    grows(again, shown, known);
  } else if (known && known.size === signed.size && !equal(known.root, signed.root))
    throw await caught(parts, pins, signed, known);
  // "As of this time, the largest": a clock that was put back must not deny what was signed before.
  const time = Math.max(Math.floor(now() / 1000), signed.signed);
  const line = cosigner.cosign(parseNote(shown.note).text, time);
  const note = addSignatures(shown.note, [line]);
  await storage.commit({
    put: [signedRow(log, { size: shown.size, root: shown.root, signed: time, note })],
    expect: [
      ...witness.expect,
      { ...headPlace, version: row?.version ?? 0 },
      { ...latchPlace, version: 0 },
    ],
  });
  const { vkey } = witness;
  const answer = { vkey, size: shown.size, signature: signatureLine(line) };

  await session.call('witnessSignature', answer, { signal });
  return 'signed';
}

async function requestFrom(
  { session }: CosigningParts,
  vkey: string,
  old: number,
  signal: AbortSignal,
): Promise<AddCheckpoint | undefined> {
  const { request } = await session.call('witnessRequest', { vkey, old }, { signal });
  if (request === undefined) return undefined;
  return refusing(() => parseAddCheckpoint(utf8Bytes(request)));
}

/** Throws `witness_refused` for what the log of this home has not signed. */
function openShown({ note }: AddCheckpoint, { vkey }: Pins): Seen {
  const { size, root } = refusing(() => openCheckpoint(note, verifierOf(parseVkey(vkey))));
  return { size, root, note };
}

function grows(asked: AddCheckpoint, shown: Seen, seen: Pick<Seen, 'size' | 'root'>): void {
  refusing(() => {
    if (asked.oldSize !== seen.size) throw new TransparencyFault('consistency_invalid');
    checkGrowth(asked, shown, seen);
  });
}

function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof TransparencyFault)) throw cause;
    throw new Problem('witness_refused', {}, { cause });
  }
}

/** Two checkpoints of one size, both signed by the log. */
async function caught(
  { storage, session, now }: CosigningParts,
  pins: Pins,
  known: Seen,
  shown: Seen,
): Promise<Problem> {
  const heads = [known, shown].map(({ size, root, note }) => ({ size, root, note, epoch: 0 }));
  const [first, second] = heads as [Head, Head];
  const conflict = new HeadConflict('forked', first, second);
  const court = { pins, files: openLogFiles(session.transport), signal: undefined };
  return latch(storage, conflict.fault, now(), await evidenceOf(conflict, court));
}

/**
 * A signature of our own key that we know nothing of: this home was put back from a copy, and nothing said so. The key
 * is retired; throws `witness_put_back`.
 */
async function mustRemember(
  storage: Storage,
  { cosigner, signed }: DeviceWitness,
  shown: string,
): Promise<void> {
  if (!cosigner) return;
  const { text, signatures } = refusing(() => parseNote(shown));
  const { name, keyId } = cosigner.vkey;
  const own = signatures.find((one) => one.name === name && sameKeyId(one.keyId, keyId));
  if (!own || !verifierOf(cosigner.vkey).verify(text, own.signature)) return;
  const [, size = ''] = text.split('\n');
  if (Number(size) <= signed.size) return;
  await storage.commit(await retiredWitness(storage));
  throw new Problem('witness_put_back');
}
