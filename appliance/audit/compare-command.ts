/** `island proof compare A B`: what two people were shown, side by side. docs/operations.md §13 */
import { writeFile } from 'node:fs/promises';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { type Checkpoint, openCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import { formatEvidence } from '@island/protocol/transparency/evidence.ts';
import { parseVkey } from '@island/protocol/transparency/note.ts';
import { parseTlogProof } from '@island/protocol/transparency/tlog-proof.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { base64 } from '@island/protocol/wire/text.ts';
import { Stated } from '@island/provisioning/stated.ts';
import type { Streams } from '../up-command.ts';
import type { CompareFlags } from './audit-commands.ts';
import { Misbehaviour } from './findings.ts';
import { readGiven } from './pins.ts';

/** Throws `Misbehaviour` where both can't be true, `Stated` where one is not of this log. */
export async function compareCheckpoints(
  files: readonly [string, string],
  { vkey, out, json }: CompareFlags,
  { stdout }: Streams,
): Promise<void> {
  const notes = await Promise.all(files.map(readNote));
  const [a, b] = notes.map((note, i) => opened(note, vkey, files[i] ?? ''));
  if (a === undefined || b === undefined) throw new RangeError('two files');
  const same = a.size === b.size;
  const forked = same && !equal(a.root, b.root);
  const shown = [a, b].map(({ size, root }) => ({ size, root: base64(root) }));
  if (forked) await writeFile(out, formatEvidence({ kind: 'fork', notes, leaves: [] }));
  const verdict = forked ? 'forked' : same ? 'same' : 'sizes-differ';
  if (json) stdout.write(`${JSON.stringify({ verdict, checkpoints: shown })}\n`);
  if (forked) {
    throw new Misbehaviour(
      `The log signed two histories of ${a.size} entries. The evidence is ${out}: island evidence verify shows it to anybody.`,
    );
  }
  if (!json) stdout.write(`${same ? sameText(a) : differText(a, b)}\n`);
}

/** A note, or the one that a `.tlog-proof` ends with. */
async function readNote(file: string): Promise<string> {
  const text = await readGiven(file, 'the checkpoint');
  try {
    return text.startsWith('c2sp.org/tlog-proof@') ? parseTlogProof(text).checkpoint : text;
  } catch (error) {
    if (!(error instanceof TransparencyFault)) throw error;
    throw new Stated(`${file} is no .tlog-proof: it is damaged.`, { cause: error });
  }
}

function opened(note: string, vkey: string, file: string): Checkpoint {
  try {
    return openCheckpoint(note, verifierOf(parseVkey(vkey)));
  } catch (error) {
    if (!(error instanceof TransparencyFault)) throw error;
    throw new Stated(`${file}: ${error.message}`, { cause: error });
  }
}

const sameText = ({ size }: Checkpoint): string =>
  `Both are the same history of ${size} entries: whoever has one was shown what the other was shown.`;

const differText = (a: Checkpoint, b: Checkpoint): string =>
  `They are of ${a.size} and ${b.size} entries: whether one contains the other, island audit tells, which replays the log.`;
