/** Notes and proofs of ours before Go's own: golang.org/x/mod/sumdb, in both directions. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { signCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { addSignatures, formatVkey, parseNote } from '@island/protocol/transparency/note.ts';
import { logNamed, witnessNamed } from '@island/protocol/transparency/testing/keys.ts';
import { sampleLog } from '@island/protocol/transparency/testing/sample-log.ts';
import { tilePath } from '@island/protocol/transparency/tiles.ts';
import { verifyConsistency, verifyInclusion } from '@island/protocol/transparency/tree.ts';
import { consistencyProof, inclusionProof } from '@island/protocol/transparency/tree-proofs.ts';
import { base64, fromBase64 } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { buildGo } from './go-tools.ts';

interface Said {
  ok: boolean;
  value?: unknown;
  why?: string;
}

const built = await buildGo('go', t.testdir(), (line) => t.comment(line));
const skip = 'missing' in built ? built.missing : false;

/** Every question is a line in, every answer a line out. */
function ask(questions: readonly object[]): Said[] {
  if ('missing' in built) throw new Error(built.missing);
  const input = questions.map((question) => JSON.stringify(question)).join('\n');
  const ran = spawnSync(built.program, { input, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (ran.status !== 0) throw new Error(ran.stderr);
  const said = ran.stdout.trim().split('\n');
  return said.map((line) => JSON.parse(line) as Said);
}

const most = 66;
const log = sampleLog(most);
const entries = log.entries.map((entry) => new TextDecoder().decode(entry));
const texts = (hashes: readonly Uint8Array[]) => hashes.map(base64);
const bent = (hash: Uint8Array) => Uint8Array.from(hash, (byte, i) => (i === 5 ? byte ^ 4 : byte));

const signer = logNamed('log.example');
const witnesses = ['w1.example', 'w2.example'].map(witnessNamed);
const vkeys = [signer, ...witnesses].map(({ vkey }) => formatVkey(vkey));

t.test('K1: Go accepts our notes and cosignatures, and no bent one', { skip }, async (t) => {
  const bare = signCheckpoint({ origin: 'log.example', size: most, root: log.root(most) }, signer);
  const { text } = parseNote(bare);
  const note = addSignatures(
    bare,
    witnesses.map((witness, i) => witness.cosign(text, 1000 + i)),
  );
  const places = [text.indexOf('\n') + 1, text.length - 4, note.length - 30, note.length - 140];
  const bad = places.map((at) => {
    const other = note[at] === '7' ? '8' : '7';
    return note.slice(0, at) + other + note.slice(at + 1);
  });
  const late = witnesses[0]?.cosign(text, 2000);
  const first = parseNote(note).signatures[1];
  if (late === undefined || first === undefined) throw new Error('no witness');
  // The time of one cosignature with the signature of another.
  const mixed = Uint8Array.from(first.signature);
  mixed.set(late.signature.subarray(0, 8));
  bad.push(addSignatures(bare, [{ ...first, signature: mixed }]));
  const said = ask([
    { kind: 'note', note, vkeys, want: 3 },
    { kind: 'note', note, vkeys: vkeys.slice(0, 1), want: 1 },
    { kind: 'note', note, vkeys: vkeys.slice(1), want: 2 },
    ...bad.map((one) => ({ kind: 'note', note: one, vkeys, want: 3 })),
  ]);
  t.same(said.slice(0, 3), [
    { ok: true, value: text },
    { ok: true, value: text },
    { ok: true, value: text },
  ]);
  t.same(
    said.slice(3).map(({ ok }) => ok),
    bad.map(() => false),
  );
});

t.test(
  'K1: Go accepts every proof of ours up to 66 entries, and makes the same',
  { skip },
  async (t) => {
    const questions: object[] = [];
    const bad: object[] = [];
    const ours: object[] = [];
    const pairs = log.entries.flatMap((_, last) =>
      Array.from({ length: last + 1 }, (_index, index) => ({
        size: last + 1,
        index,
        at: index + 1,
      })),
    );
    for (const { size, index, at } of pairs) {
      const root = base64(log.root(size));
      const inclusion = await inclusionProof(index, size, log.read);
      const consistency = await consistencyProof(at, size, log.read);
      const leaf = base64(log.leaves[index] ?? new Uint8Array(32));
      const old = base64(log.root(at));
      const included = { kind: 'inclusion', size, root, index, leaf, proof: texts(inclusion) };
      const grown = { kind: 'consistency', size, root, at, old, proof: texts(consistency) };
      questions.push(included, grown, { kind: 'prove', size, index, at, entries });
      ours.push({ root, inclusion: texts(inclusion), consistency: texts(consistency) });
      bad.push(
        { ...included, root: base64(bent(log.root(size))) },
        { ...included, leaf: base64(bent(fromBase64(leaf))) },
        ...inclusion.map((hash, i) => ({
          ...included,
          proof: texts(inclusion.with(i, bent(hash))),
        })),
        { ...grown, old: base64(bent(log.root(at))) },
        ...consistency.map((hash, i) => ({
          ...grown,
          proof: texts(consistency.with(i, bent(hash))),
        })),
      );
    }
    const said = ask(questions);
    t.same(
      said.filter(({ ok }) => !ok),
      [],
    );
    t.same(
      said.filter((_, i) => i % 3 === 2).map(({ value }) => value),
      ours,
    );
    t.same(
      ask(bad).filter(({ ok }) => ok),
      [],
      `${bad.length} bent proofs`,
    );
  },
);

t.test('K1: we accept the proofs that Go makes', { skip }, async (t) => {
  const asked = [
    [1, 0, 1],
    [7, 3, 5],
    [64, 63, 32],
    [66, 12, 65],
  ] as const;
  const said = ask(asked.map(([size, index, at]) => ({ kind: 'prove', size, index, at, entries })));
  for (const [i, [size, index, oldSize]] of asked.entries()) {
    const made = said[i]?.value as { root: string; inclusion: string[]; consistency: string[] };
    const root = fromBase64(made.root);
    const leaf = log.leaves[index] ?? root;
    verifyInclusion({ leaf, index, size, proof: made.inclusion.map(fromBase64), root });
    const proof = made.consistency.map(fromBase64);
    verifyConsistency({ oldSize, oldRoot: log.root(oldSize), newSize: size, newRoot: root, proof });
  }
  t.pass('all of them');
});

t.test('log.json: Go accepts the notes and proofs of the vectors', { skip }, async (t) => {
  const file = new URL('../../protocol/vectors/log.json', import.meta.url);
  const { vkeys, notes, tree } = JSON.parse(readFileSync(file, 'utf8'));
  const keys = [vkeys.log, vkeys.ed25519Witness];
  const b64 = (text: string) => Buffer.from(text, 'hex').toString('base64');
  const named = Array.from({ length: 300 }, (_, i) => `entry ${i}`);
  const proofs: { size: number; index: number; at: number; proof: string[] }[] = [
    ...tree.inclusion,
    ...tree.consistency.map((c: { oldSize: number; newSize: number; proof: string[] }) => {
      return { size: c.newSize, at: c.oldSize, proof: c.proof };
    }),
  ];
  const said = ask([
    { kind: 'note', note: notes.log, vkeys: keys, want: 1 },
    { kind: 'note', note: notes.byEd25519, vkeys: keys, want: 2 },
    { kind: 'note', note: notes.byBoth, vkeys: keys, want: 2 },
    ...proofs.map(({ size, index = 0, at = 1 }) => {
      return { kind: 'prove', size, index, at, entries: named };
    }),
  ]);
  t.same(
    said.filter(({ ok }) => !ok),
    [],
  );
  for (const [i, { index, size, proof }] of proofs.entries()) {
    const made = said[i + 3]?.value as Record<string, string[]>;
    const theirs = (index === undefined ? made['consistency'] : made['inclusion']) ?? [];
    t.same(proof.map(b64), theirs, `${index} of ${size}`);
  }
  const roots = (tree.roots as { size: number; root: string }[]).filter(({ size }) => size > 0);
  const computed = ask(
    roots.map(({ size }) => ({ kind: 'prove', size, index: 0, at: 1, entries: named })),
  );
  t.same(
    computed.map(({ value }) => (value as { root: string }).root),
    roots.map(({ root }) => b64(root)),
  );
});

t.test('tiles have the paths that Go gives them', { skip }, async (t) => {
  const tiles = [
    [0, 0, 256],
    [0, 1_234_067, 256],
    [1, 999, 1],
    [2, 1000, 255],
    [6, 5, 17],
  ] as const;
  const said = ask(tiles.map(([level, n, width]) => ({ kind: 'tile', level, n, width })));
  t.same(
    said.map(({ value }) => value),
    tiles.map(([level, index, width]) => tilePath({ level, index, width })),
  );
});
