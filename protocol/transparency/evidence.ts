/**
 * What convicts a log or a witness, as text that anybody checks with the log's vkey. docs/protocol/transparency.md §9
 *
 *     evidence = "pi-kt/evidence/v1\n" ‖ kind ‖ "\n" ‖ n × line
 *     line     = "note "   ‖ base64( a signed checkpoint, the whole note )                           1 or 2
 *              | "leaf "   ‖ note ‖ " " ‖ index ‖ " " ‖ base64( leaf ) ‖ n × ( " " ‖ base64( hash ) )   at most 2
 *              | "prefix " ‖ base64( root ) ‖ n × ( " " ‖ base64( hash ) )                           at most 1
 *              | "map "    ‖ base64( label index 32 ) ‖ " " ‖ base64( map proof )
 *                [ ‖ " " ‖ version ‖ " " ‖ event index ‖ " " ‖ base64( event hash 32 ) ]             at most 1
 *              | "opened " ‖ base64( label ) ‖ " " ‖ base64( VRF key 32 ) ‖ " " ‖ base64( VRF proof 80 )
 *                ‖ " " ‖ base64( opening 16 ) ‖ " " ‖ base64( state )                              at most 1
 *              | "state "  ‖ base64( label ) ‖ " " ‖ base64( opening 16 ) ‖ " " ‖ base64( state )     at most 2
 *
 * Lines stand in this order and end with a line feed. `note` is the number of a note, from 0, in whose tree
 * the leaf is: the hashes are its inclusion proof. `prefix` is the root that the first leaves of the newer tree
 * have, as many as the older tree is large, with the consistency proof between the two. `map` shows what the map
 * of an epoch has for a label: nothing, or the event that is named. What each kind says and
 * why it convicts is in conviction.ts. Nothing in a file is believed: it is all checked, or is of no weight.
 */
import { Fault } from '../wire/fault.ts';
import { base64, fromBase64 } from '../wire/text.ts';
import { parseDecimal, parseHash } from './checkpoint.ts';
import { noteFromBytes, noteMax } from './note.ts';
import { proofMax } from './tree.ts';

export const evidenceKinds = [
  'fork',
  'rewrite',
  'rollback',
  'entry',
  'end',
  'version',
  'time',
  'span',
  'operator',
  'hidden',
  'unlogged',
  'rebound',
  'unauthorised',
] as const;
export type EvidenceKind = (typeof evidenceKinds)[number];

export interface ShownLeaf {
  /** Number of the note whose tree it is in. */
  note: number;
  index: number;
  leaf: Uint8Array;
  proof: readonly Uint8Array[];
}

export interface Evidence {
  kind: EvidenceKind;
  notes: readonly string[];
  leaves: readonly ShownLeaf[];
  prefix?: { root: Uint8Array; proof: readonly Uint8Array[] };
  map?: ShownEntry;
  opened?: ShownPlace;
  /** What the leaves commit to, in their order. */
  states?: readonly ShownState[];
}

/** What the map of an epoch has at the index of a label; nothing, where there is no `newest`. */
export interface ShownEntry {
  index: Uint8Array;
  proof: Uint8Array;
  newest?: { version: number; eventIndex: number; eventHash: Uint8Array };
}

/** What an event commits to. */
export interface ShownState {
  label: Uint8Array;
  opening: Uint8Array;
  state: Uint8Array;
}

/** And that its place is that of the label. */
export interface ShownPlace extends ShownState {
  vrfKey: Uint8Array;
  vrfProof: Uint8Array;
}

export const evidenceHeader = 'pi-kt/evidence/v1';
/** File name ending, and UTF-16 units that a file may have: two notes in base64, and proofs. */
export const evidenceEnding = '.kt-evidence';
export const evidenceMax = 3 * noteMax + 65_536;
/** No leaf is longer: its length has two bytes in an entry bundle. */
const leafMax = 0xffff;
const mapProofMax = 32_768;

const utf8 = new TextEncoder();

/** Throws `malformed` for what `parseEvidence` would refuse. */
export function formatEvidence(evidence: Evidence): string {
  const { kind, notes, leaves, prefix, map, opened, states = [] } = evidence;
  const text = [
    evidenceHeader,
    kind,
    ...notes.map((note) => `note ${base64(utf8.encode(note))}`),
    ...leaves.map(({ note, index, leaf, proof }) =>
      ['leaf', note, index, base64(leaf), ...proof.map(base64)].join(' '),
    ),
    ...(prefix === undefined
      ? []
      : [['prefix', ...[prefix.root, ...prefix.proof].map(base64)].join(' ')]),
    ...(map === undefined ? [] : [`map ${mapFields(map).join(' ')}`]),
    ...(opened === undefined ? [] : [`opened ${openedFields(opened).map(base64).join(' ')}`]),
    ...states.map((each) => `state ${stateFields(each).map(base64).join(' ')}`),
    '',
  ].join('\n');
  parseEvidence(text);
  return text;
}

/** Throws `malformed`. One evidence has one text. */
export function parseEvidence(text: string): Evidence {
  if (text.length > evidenceMax || !text.endsWith('\n')) throw new Fault('malformed');
  const [header, named, ...rest] = text.slice(0, -1).split('\n');
  const kind = evidenceKinds.find((known) => known === named);
  if (header !== evidenceHeader || kind === undefined || rest.length > 6)
    throw new Fault('malformed');
  const lines = rest.map((line) => line.split(' '));
  const take = (word: string, most: number): string[][] => {
    const found: string[][] = [];
    while (found.length < most && lines[0]?.[0] === word)
      found.push((lines.shift() ?? []).slice(1));
    return found;
  };
  const notes = take('note', 2).map(readNote);
  const leaves = take('leaf', 2).map((fields) => readShown(fields, notes.length));
  const [prefix] = take('prefix', 1).map(readPrefix);
  const [map] = take('map', 1).map(readMap);
  const [opened] = take('opened', 1).map(readOpened);
  const states = take('state', 2).map(readState);
  if (notes.length === 0 || lines.length > 0) throw new Fault('malformed');
  return {
    kind,
    notes,
    leaves,
    ...(prefix === undefined ? {} : { prefix }),
    ...(map === undefined ? {} : { map }),
    ...(opened === undefined ? {} : { opened }),
    ...(states.length === 0 ? {} : { states }),
  };
}

function bytesOf(text: string | undefined, most: number): Uint8Array {
  if (text === undefined || text === '' || text.length > most * 2) throw new Fault('malformed');
  const bytes = fromBase64(text);
  if (bytes.length > most) throw new Fault('too_large');
  return bytes;
}

function readNote(fields: string[]): string {
  if (fields.length !== 1) throw new Fault('malformed');
  return noteFromBytes(bytesOf(fields[0], noteMax));
}

function readHashes(fields: string[]): Uint8Array[] {
  if (fields.length > proofMax + 1) throw new Fault('malformed');
  return fields.map((field) => {
    const hash = parseHash(field);
    if (hash === undefined) throw new Fault('malformed');
    return hash;
  });
}

function readShown([note = '', at = '', leaf, ...proof]: string[], notes: number): ShownLeaf {
  const index = parseDecimal(at);
  if (!/^[01]$/.test(note) || Number(note) >= notes || index === undefined)
    throw new Fault('malformed');
  return { note: Number(note), index, leaf: bytesOf(leaf, leafMax), proof: readHashes(proof) };
}

function readPrefix(fields: string[]): { root: Uint8Array; proof: Uint8Array[] } {
  const [root, ...proof] = readHashes(fields);
  if (root === undefined) throw new Fault('malformed');
  return { root, proof };
}

function mapFields({ index, proof, newest }: ShownEntry): (string | number)[] {
  const fields = [base64(index), base64(proof)];
  if (newest === undefined) return fields;
  return [...fields, newest.version, newest.eventIndex, base64(newest.eventHash)];
}

function readMap([at = '', encoded, ...rest]: string[]): ShownEntry {
  const index = parseHash(at);
  if (index === undefined) throw new Fault('malformed');
  const proof = bytesOf(encoded, mapProofMax);
  if (rest.length === 0) return { index, proof };
  const [version, eventIndex] = rest.slice(0, 2).map(parseDecimal);
  const eventHash = parseHash(rest[2] ?? '');
  if (version === undefined || eventIndex === undefined) throw new Fault('malformed');
  if (eventHash === undefined || rest.length > 3) throw new Fault('malformed');
  return { index, proof, newest: { version, eventIndex, eventHash } };
}

const openedFields = ({ label, vrfKey, vrfProof, opening, state }: ShownPlace): Uint8Array[] => [
  label,
  vrfKey,
  vrfProof,
  opening,
  state,
];

function readOpened([label, vrfKey, vrfProof, opening, state, ...more]: string[]): ShownPlace {
  if (more.length > 0) throw new Fault('malformed');
  return {
    label: bytesOf(label, 256),
    vrfKey: bytesOf(vrfKey, 32),
    vrfProof: bytesOf(vrfProof, 80),
    opening: bytesOf(opening, 16),
    state: bytesOf(state, leafMax),
  };
}

const stateFields = ({ label, opening, state }: ShownState): Uint8Array[] => [
  label,
  opening,
  state,
];

function readState([label, opening, state, ...more]: string[]): ShownState {
  if (more.length > 0) throw new Fault('malformed');
  return {
    label: bytesOf(label, 256),
    opening: bytesOf(opening, 16),
    state: bytesOf(state, leafMax),
  };
}
