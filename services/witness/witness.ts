/**
 * A witness of logs, c2sp.org/tlog-witness: looks at each checkpoint in the order that the specification gives, and
 * signs what grew. docs/protocol/transparency.md §7
 */
import {
  type AddCheckpoint,
  checkGrowth,
  parseAddCheckpoint,
} from '@island/protocol/transparency/add-checkpoint.ts';
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import {
  formatVkey,
  knownSignatures,
  type NoteSignature,
  parseNote,
  parseVkey,
  signatureLine,
} from '@island/protocol/transparency/note.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import type { Clock } from '../kit/clock.ts';
import type { WitnessStore } from './database.ts';
import { openHeads } from './heads.ts';
import type { WitnessKeys } from './keys.ts';
import { idOf, type Rows } from './logs.ts';

export interface WitnessAnswer {
  /** HTTP. */
  status: number;
  type: string;
  body: string;
}

const text = 'text/plain; charset=utf-8';
const refuse = (status: number, body: string): WitnessAnswer => ({
  status,
  type: text,
  body: `${body}\n`,
});
const conflict = (size: number): WitnessAnswer => ({
  status: 409,
  type: 'text/x.tlog.size',
  body: `${size}\n`,
});
const unknown = refuse(404, 'This witness does not know that log.');

const malformed = refuse(400, 'This is no add-checkpoint request of c2sp.org/tlog-witness.');
const refusals: Partial<Record<string, WitnessAnswer>> = {
  note_malformed: malformed,
  signature_invalid: refuse(403, 'No key that this witness knows of that log has signed this.'),
  consistency_invalid: refuse(422, 'The proof does not lead from the newest checkpoint to this.'),
};

export interface Witness {
  /** Answers after the commit. @throws what a store or a vault that does not work throws */
  add(body: Uint8Array): Promise<WitnessAnswer>;
}

export function openWitness(parts: {
  store: WitnessStore;
  rows: Rows;
  clock: Clock;
  keys: WitnessKeys;
}): Witness {
  const { store, rows, clock, keys } = parts;
  const heads = openHeads({ store, rows, clock, cosigners: keys.cosigners });

  async function add(asked: AddCheckpoint): Promise<WitnessAnswer> {
    const row = await rows.find(store, idOf(asked.origin));
    if (!row?.log.trusted) return unknown;
    const { checkpoint, ...signed } = openNote(asked.note, row.log.keys);
    const { oldSize } = asked;
    if (oldSize > checkpoint.size)
      return refuse(400, 'The old size is above the size of the checkpoint.');
    if (oldSize !== row.head.size) return conflict(row.head.size);
    checkGrowth(asked, checkpoint, row.head);
    const came = await heads.cosign({ checkpoint, ...signed, from: row.head });
    if (came === 'unknown') return unknown;
    if ('size' in came) return conflict(came.size);
    return { status: 200, type: text, body: came.signatures.map(signatureLine).join('') };
  }

  return {
    async add(body) {
      try {
        return await add(parseAddCheckpoint(body));
      } catch (error) {
        const refusal = error instanceof TransparencyFault ? refusals[error.code] : undefined;
        if (refusal === undefined) throw error;
        return refusal;
      }
    },
  };
}

/**
 * With one signature of each key: anybody can say a line of a log again, and it would be verified, and kept, as often.
 * Throws `signature_invalid`, also where one of several signatures of known keys is wrong; `note_malformed`.
 */
function openNote(note: string, keys: readonly string[]) {
  const known = keys.map((key) => verifierOf(parseVkey(key)));
  const { text, signatures: all } = parseNote(note);
  const lines = new Map(all.map((signature) => [signatureLine(signature), signature]));
  const verified = knownSignatures({ text, signatures: [...lines.values()] }, known);
  if (verified.length === 0) throw new TransparencyFault('signature_invalid');
  const byKey = new Map<string, NoteSignature>();
  for (const { vkey, signature } of verified)
    byKey.set(formatVkey(vkey), { name: vkey.name, keyId: vkey.keyId, signature });
  return { checkpoint: parseCheckpoint(text), text, signatures: [...byKey.values()] };
}
