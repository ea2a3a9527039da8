/**
 * K2: an honest answer with one part exchanged, or one bit turned over, is not believed by a client that knows the
 * log and nothing else. docs/protocol/transparency.md §5, §8
 */
import { memoryStorage } from '@island/client/storage/memory.ts';
import { pinsOf, replacePins } from '@island/client/transparency/pins.ts';
import { openProving } from '@island/client/transparency/proving.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { type Answer, encodeAnswer, readAnswer } from '@island/protocol/transparency/answer.ts';
import { parseCheckpoint, signCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { noteSigner, parseNote } from '@island/protocol/transparency/note.ts';
import { type Finding, found } from './finding.ts';
import { outcomeOf } from './onlooker.ts';
import type { Person } from './people.ts';

/** Single bits of an answer that are turned over, evenly spread behind its note. */
export const flips = 32;

/** One bit of the first byte. */
const turned = (bytes: Uint8Array, at = 0): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};

/** Each part of an answer exchanged for something else: by its name, and the whole bit by bit. */
export async function checkParts(
  { transport }: Person,
  name: string,
  shown: Uint8Array,
  other: Uint8Array,
): Promise<Finding[]> {
  const pins = await pinsOf(memoryStorage(), transport);
  /** To a client that knows the log and nothing else. */
  const believed = async (bytes: Uint8Array): Promise<string> => {
    const storage = memoryStorage();
    await replacePins(storage, pins);
    const proving = openProving({ storage, transport, now: Date.now });
    return outcomeOf(() => proving.person(name, async () => bytes));
  };
  const whole = readAnswer(shown);
  const tries = partsOf(whole, readAnswer(other));
  const findings: Finding[] = [];
  for (const [part, answer] of tries) {
    const outcome = await believed(encodeAnswer(answer));
    findings.push(found(outcome !== 'accepted', `${part} exchanged: ${outcome}`));
  }
  const behind = 4 + Buffer.byteLength(whole.note);
  const accepted: number[] = [];
  for (let i = 0; i < flips; i++) {
    const at = behind + Math.floor((i * (shown.length - behind)) / flips);
    if ((await believed(turned(shown, at))) === 'accepted') accepted.push(at);
  }
  const flipped = found(
    accepted.length === 0,
    accepted.length === 0
      ? `${flips} answers with one bit turned over: all refused`
      : `A BIT TURNED OVER WAS ACCEPTED at ${accepted.join(', ')}`,
  );
  return [...findings, flipped];
}

function partsOf(whole: Answer, other: Answer): [part: string, answer: Answer][] {
  const { note, epoch, epochProof, labels } = whole;
  const { text } = parseNote(note);
  const checkpoint = parseCheckpoint(text);
  const stranger = noteSigner(checkpoint.origin, ed25519.generate());
  const elsewhere = noteSigner('verify/elsewhere', ed25519.generate());
  const resigned = signCheckpoint(checkpoint, stranger);
  const moved = signCheckpoint({ ...checkpoint, origin: 'verify/elsewhere' }, elsewhere);
  const root = note.replace(
    text,
    text.replace(/.(?=[^\n]*\n$)/, (c) => (c === 'A' ? 'B' : 'A')),
  );
  const parts: [string, Answer][] = [
    ['the root of the checkpoint', { ...whole, note: root }],
    ['the signature of the log', { ...whole, note: resigned }],
    ['the log', { ...whole, note: moved }],
    ['the epoch', { ...whole, epoch: turned(epoch, 8) }],
    ['the way to the epoch', { ...whole, epochProof: epochProof.map((hash) => turned(hash)) }],
    ['the order of name and account', { ...whole, labels: labels.toReversed() }],
    ['the account', { ...whole, labels: [...labels.slice(0, 1), ...other.labels.slice(1)] }],
    ['the name', { ...whole, labels: [...other.labels.slice(0, 1), ...labels.slice(1)] }],
    ['the account left out', { ...whole, labels: labels.slice(0, 1) }],
  ];
  for (const [i, label] of labels.entries()) {
    const of = i === 0 ? 'of the name' : 'of the account';
    const put = (change: object): Answer => ({
      ...whole,
      labels: labels.with(i, { ...label, ...change }),
    });
    parts.push(
      [`the proof of the place ${of}`, put({ vrfProof: turned(label.vrfProof, 40) })],
      [
        `the proof of the map ${of}`,
        put({ mapProof: turned(label.mapProof, label.mapProof.length - 1) }),
      ],
    );
    const { shown } = label;
    if (shown === undefined) continue;
    const within = (change: object): Answer => put({ shown: { ...shown, ...change } });
    parts.push(
      [`the number of the entry ${of}`, within({ eventIndex: shown.eventIndex ^ 1 })],
      [`the entry ${of}`, within({ event: turned(shown.event, 60) })],
      [`the way to the entry ${of}`, within({ proof: shown.proof.map((hash) => turned(hash)) })],
      [`the opening ${of}`, within({ opening: turned(shown.opening) })],
      [`the state ${of}`, within({ state: turned(shown.state, shown.state.length - 1) })],
      [`the entry ${of} taken for absent`, put({ shown: undefined })],
    );
  }
  return parts;
}
