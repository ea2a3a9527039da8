/** Policies under which a checkpoint may get too long for an answer. docs/protocol/transparency.md §7.3 */
import { ed25519, mldsa44 } from '@island/protocol/crypto/primitives.ts';
import { signCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import {
  type Cosigner,
  ed25519Cosigner,
  mldsaCosigner,
} from '@island/protocol/transparency/cosignature.ts';
import { addSignatures, noteSigner, parseNote } from '@island/protocol/transparency/note.ts';
import type { Policy } from '@island/protocol/transparency/policy.ts';
import t from 'tap';
import { fitsAnswers } from './policy-size.ts';

const seed = (n: number) => new Uint8Array(32).fill(n);
const log = noteSigner(`pi-kt/${'a'.repeat(26)}`, ed25519.fromSeed(seed(255)));
const name = (n: number) => `pi-witness/${String(n).padStart(26, 'w')}`;
const large = Array.from({ length: 25 }, (_, n) =>
  mldsaCosigner(name(n), mldsa44.fromSeed(seed(n))),
);
const small = Array.from({ length: 128 }, (_, n) =>
  ed25519Cosigner(name(n), ed25519.fromSeed(seed(n))),
);

const policyOf = (cosigners: readonly Cosigner[]): Policy => {
  const witnesses = cosigners.map(({ vkey }) => ({ name: vkey.name, vkey }));
  return { logs: [{ vkey: log.vkey }], witnesses, groups: [], quorum: witnesses[0]?.name };
};

/** Of the longest checkpoint that there may be. */
function noteBytes(cosigners: readonly Cosigner[]): number {
  const size = Number.MAX_SAFE_INTEGER;
  const note = signCheckpoint({ origin: log.vkey.name, size, root: seed(0) }, log);
  const { text } = parseNote(note);
  const signatures = cosigners.map((cosigner) => cosigner.cosign(text, 1_800_000_000));
  return Buffer.byteLength(addSignatures(note, signatures));
}

t.test('what is taken fits with every signature, and one witness more does not', (t) => {
  t.equal(fitsAnswers(policyOf(large.slice(0, 19))), true);
  t.ok(noteBytes(large.slice(0, 19)) <= 65_535);
  t.equal(fitsAnswers(policyOf(large.slice(0, 20))), false);
  t.ok(noteBytes(large.slice(0, 20)) > 65_535);
  t.equal(fitsAnswers(policyOf([])), true);
  t.end();
});

t.test('the epoch that brings a policy is signed under two: both count, each witness once', (t) => {
  const [one, other] = [policyOf(large.slice(0, 15)), policyOf(large.slice(10, 25))];
  t.equal(fitsAnswers(one), true);
  t.equal(fitsAnswers(one, one), true);
  t.equal(fitsAnswers(one, other), false);
  t.equal(fitsAnswers(one, policyOf(large.slice(4, 19))), true);
  t.end();
});

t.test('a note has 128 signatures, that of the log among them', (t) => {
  const [one, other] = [policyOf(small.slice(0, 64)), policyOf(small.slice(64))];
  t.equal(fitsAnswers(one, policyOf(small.slice(64, 127))), true);
  t.ok(noteBytes(small.slice(0, 127)) <= 65_535);
  t.equal(fitsAnswers(one, other), false);
  t.throws(() => noteBytes(small), { code: 'note_malformed' });
  t.end();
});
