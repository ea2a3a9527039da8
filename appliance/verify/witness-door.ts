/**
 * K1: the island as a witness of others, at its public door: what it refuses, and with which status. The log that it
 * is asked about is its own, which it is told to trust for so long: nothing else is left of that than how far it was.
 * docs/protocol/transparency.md §7.1, c2sp.org/tlog-witness
 */
import { createHash } from 'node:crypto';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import {
  encodeCheckpoint,
  openCheckpoint,
  parseDecimal,
  signCheckpoint,
} from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import {
  addSignatures,
  noteFromBytes,
  noteSigner,
  parseSignatureLines,
  parseVkey,
  verifyNote,
} from '@island/protocol/transparency/note.ts';
import { tileReader } from '@island/protocol/transparency/tiles.ts';
import { consistencyProof } from '@island/protocol/transparency/tree-proofs.ts';
import type { SaidLog } from '@island/protocol/wire/routes.ts';
import { base64, hex } from '@island/protocol/wire/text.ts';
import { askControl } from '../operator.ts';
import type { WitnessStanding } from '../witness-messages.ts';
import { type Finding, found } from './finding.ts';
import type { PublicDoor, Said } from './public-door.ts';
import type { Scene } from './scene.ts';

/** A body of `add-checkpoint`. */
type Post = (old: number, proof: readonly Uint8Array[], note: string) => Promise<Said>;

const junk = new Uint8Array(32).fill(7);

export async function checkWitnessDoor(
  { layout: { data } }: Scene,
  door: PublicDoor,
  { vkey }: SaidLog,
): Promise<Finding[]> {
  const ask = (method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> =>
    askControl(data, { method, path, ...(body === undefined ? {} : { body }) });
  const post: Post = (old, proof, note) => {
    const lines = proof.map((hash) => `${base64(hash)}\n`).join('');
    return door.post('/witness/add-checkpoint', Buffer.from(`old ${old}\n${lines}\n${note}`));
  };
  const { name: origin } = parseVkey(vkey);
  const { trusted } = (await ask('GET', '/witness')) as WitnessStanding;
  const before = trusted.some((one) => one.origin === origin && one.trusted);
  const { keys } = (await ask('GET', '/witness/card')) as { keys: string[] };
  await ask('POST', '/witness/trust', { vkey });
  const findings: Finding[] = [];
  try {
    findings.push(...(await checkTrusted(door, post, { vkey, keys })));
  } finally {
    if (!before) await ask('POST', '/witness/distrust', { origin });
  }
  const unknown = `verify/${hex(ed25519.generate().public.subarray(0, 8))}`;
  const stranger = signCheckpoint(
    { origin: unknown, size: 1, root: junk },
    noteSigner(unknown, ed25519.generate()),
  );
  findings.push(
    answered('a log that nobody trusts here', await post(0, [], stranger), 404),
    answered('what is no request', await door.post('/witness/add-checkpoint', junk), 400),
  );
  if (!before) {
    const note = noteFromBytes(await door.file('checkpoint'));
    findings.push(answered('a log that is trusted no more', await post(0, [], note), 404));
  }
  return findings;
}

async function checkTrusted(
  door: PublicDoor,
  post: Post,
  { vkey, keys }: { vkey: string; keys: readonly string[] },
): Promise<Finding[]> {
  const log = parseVkey(vkey);
  const note = noteFromBytes(await door.file('checkpoint'));
  const checkpoint = openCheckpoint(note, verifierOf(log));
  const { origin, size, root } = checkpoint;
  const forger = noteSigner(origin, ed25519.generate());
  const text = encodeCheckpoint(checkpoint);
  // How far it was at an earlier visit: it says so itself.
  const conflict = await post(size, [junk], note);
  const old = conflict.status === 409 ? sizeIn(conflict) : size;
  const lead = old === 0 || old === size ? [] : await leadFrom(old, { size, root }, door);
  const bad = await post(old, [junk], note);
  const signed = await post(old, lead, note);
  const late = await post(0, [], note);
  const known = keys.map((key) => verifierOf(parseVkey(key)));
  const lines = signed.status === 200 ? parseSignatureLines(bodyOf(signed)) : [];
  const cosigned = lines.length === 0 ? note : addSignatures(note, lines);
  const { verified } = verifyNote(cosigned, [verifierOf(log), ...known]);
  const id = createHash('sha256').update(origin).digest('hex');
  const kept = await door.get(`/witness/${id}/checkpoint`);
  const says = sizeIn(late);
  return [
    answered(
      'a signature of another key',
      await post(old, lead, signCheckpoint(checkpoint, forger)),
      403,
    ),
    answered('an old size above the new one', await post(size + 1, [], note), 400),
    answered('a proof that does not lead there', bad, 422),
    found(
      late.status === 409 && late.type === 'text/x.tlog.size' && says === size,
      `witness: an old size that is not the newest: ${late.status}, ${late.type}, ${says}`,
    ),
    found(
      signed.status === 200 && verified.length === 1 + keys.length,
      `witness: growth from ${old} to ${size}: ${signed.status}, ${lines.length} signatures (${keys.length} keys on its card)`,
    ),
    found(
      kept.status === 200 && bodyOf(kept).startsWith(text),
      `witness: the checkpoint that it signed last is shown at /witness/${id.slice(0, 8)}…/checkpoint: ${kept.status}`,
    ),
  ];
}

async function leadFrom(
  old: number,
  tree: { size: number; root: Uint8Array },
  door: PublicDoor,
): Promise<Uint8Array[]> {
  const read = tileReader(tree, (path) => door.file(path));
  return consistencyProof(old, tree.size, read);
}

const bodyOf = ({ body }: Said): string => Buffer.from(body).toString('utf8');
const sizeIn = (said: Said): number => parseDecimal(bodyOf(said).trimEnd()) ?? -1;

const answered = (what: string, { status }: Said, wanted: number): Finding =>
  found(status === wanted, `witness: ${what}: ${status}`);
