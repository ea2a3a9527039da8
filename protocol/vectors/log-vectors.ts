/** Vectors of the log: tree, notes, checkpoints, cosignatures, policies, tiles, proofs. docs/protocol/transparency.md §2 */
import { ed25519, mldsa44, sha256 } from '../crypto/primitives.ts';
import { type Checkpoint, parseCheckpoint, signCheckpoint } from '../transparency/checkpoint.ts';
import { ed25519Cosigner, mldsaCosigner } from '../transparency/cosignature.ts';
import {
  addSignatures,
  formatVkey,
  noteSigner,
  parseNote,
  parseVkey,
  signNote,
} from '../transparency/note.ts';
import { checkCheckpoint, parsePolicy } from '../transparency/policy.ts';
import { encodeEntries, parseTilePath, tilePath } from '../transparency/tiles.ts';
import { encodeTlogProof, parseTlogProof } from '../transparency/tlog-proof.ts';
import { emptyRoot, leafHash, nodeHash } from '../transparency/tree.ts';
import {
  consistencyProof,
  type HashReader,
  inclusionProof,
  rootAt,
} from '../transparency/tree-proofs.ts';
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { seededRandom } from './seeded.ts';
import { refused, type VectorFile } from './vector-file.ts';

const origin = 'log.example/vectors';
const size = 300;
const entry = (index: number): Uint8Array => utf8Bytes(`entry ${index}`);

const read: HashReader = async (level, index) =>
  level === 0
    ? leafHash(entry(index))
    : nodeHash(await read(level - 1, 2 * index), await read(level - 1, 2 * index + 1));

/** Refused text, as text. */
const refusedText = (why: string, text: string, decode: (text: string) => unknown) => ({
  why,
  text,
  fault: refused(why, new Uint8Array(0), () => decode(text)).fault,
});

function keys() {
  const random = seededRandom('log');
  const seeds = { log: random(32), ed25519Witness: random(32), mldsaWitness: random(32) };
  const log = noteSigner(origin, ed25519.fromSeed(seeds.log));
  const ed = ed25519Cosigner('w1.example', ed25519.fromSeed(seeds.ed25519Witness));
  const pair = mldsa44.fromSeed(seeds.mldsaWitness);
  // Deterministic: FIPS 204 with 32 zero bytes of randomness.
  const mldsa = mldsaCosigner('w2.example', pair, (length) => new Uint8Array(length));
  return { seeds, log, ed, mldsa };
}

async function tree() {
  const sizes = [0, 1, 2, 3, 7, 8, 255, 256, 257, size];
  const ends = [
    [0, 1],
    [0, 8],
    [5, 7],
    [6, 7],
    [77, 300],
    [299, 300],
  ] as const;
  const pairs = [
    [1, 2],
    [3, 7],
    [4, 8],
    [6, 300],
    [256, 300],
    [300, 300],
  ] as const;
  return {
    entries: 'UTF-8 of "entry 0", "entry 1", …',
    roots: await Promise.all(sizes.map(async (at) => ({ size: at, root: await rootAt(at, read) }))),
    inclusion: await Promise.all(
      ends.map(async ([index, at]) => ({
        ...{ index, size: at, proof: await inclusionProof(index, at, read) },
      })),
    ),
    consistency: await Promise.all(
      pairs.map(async ([oldSize, newSize]) => ({
        ...{ oldSize, newSize, proof: await consistencyProof(oldSize, newSize, read) },
      })),
    ),
  };
}

async function tiles() {
  const hashes = async (level: number, from: number, to: number) => {
    const numbers = Array.from({ length: to - from }, (_, i) => from + i);
    return concat(...(await Promise.all(numbers.map((number) => read(8 * level, number)))));
  };
  const entries = Array.from({ length: size - 256 }, (_, i) => entry(256 + i));
  const shown = (path: string, bytes: Uint8Array) => {
    return { path, bytes: bytes.length, sha256: sha256(bytes) };
  };
  return {
    size,
    files: [
      shown(tilePath({ level: 0, index: 0, width: 256 }), await hashes(0, 0, 256)),
      shown(tilePath({ level: 0, index: 1, width: 44 }), await hashes(0, 256, size)),
      shown(tilePath({ level: 1, index: 0, width: 1 }), await hashes(1, 0, 1)),
      shown(tilePath({ level: 'entries', index: 1, width: 44 }), encodeEntries(entries)),
    ],
    paths: [parseTilePath('tile/0/x001/x234/067'), parseTilePath('tile/entries/x273/000.p/112')],
    refused: ['tile/0/67', 'tile/0/x000/067', 'tile/0/067.p/256', 'tile/64/067'].map((path) =>
      refusedText('no path of a tile', path, parseTilePath),
    ),
  };
}

export const vectors: VectorFile = {
  name: 'log',
  document: 'docs/protocol/transparency.md §2',
  async make() {
    const { seeds, log, ed, mldsa } = keys();
    const logKey = formatVkey(log.vkey);
    const edKey = formatVkey(ed.vkey);
    const mldsaKey = formatVkey(mldsa.vkey);
    const checkpoint: Checkpoint = { origin, size, root: await rootAt(size, read) };
    const bare = signCheckpoint(checkpoint, log);
    const { text } = parseNote(bare);
    const time = 1_679_315_147;
    const byEd = addSignatures(bare, [ed.cosign(text, time)]);
    const byBoth = addSignatures(byEd, [mldsa.cosign(text, time + 1)]);
    const small = `log ${logKey}\nwitness a ${edKey}\n`;
    const start = `${small}witness b ${mldsaKey}\n`;
    const index = 77;
    const proof = await inclusionProof(index, size, read);
    const file = { extra: utf8Bytes('extra'), index, proof, checkpoint: byEd };

    const check = (policy: string, note: string) => {
      const { witnessed, cosigners } = checkCheckpoint(parsePolicy(policy), note, {
        allowUnwitnessed: false,
      });
      return { witnessed, cosigners };
    };
    const verdict = (lines: string, note: string, what: string) => {
      const policy = `${start}${lines}`;
      const outcome =
        what === 'accepted'
          ? { accepted: check(policy, note) }
          : { fault: refused(what, new Uint8Array(0), () => check(policy, note)).fault };
      return {
        lines,
        note: note === bare ? 'log' : note === byEd ? 'byEd25519' : 'byBoth',
        ...outcome,
      };
    };
    const both = 'group both all a b\nquorum both\n';
    return {
      seeds,
      vkeys: { log: logKey, ed25519Witness: edKey, mldsaWitness: mldsaKey },
      tree: { emptyRoot, ...(await tree()) },
      notes: { log: bare, byEd25519: byEd, byBoth },
      policyStart: start,
      policies: [
        verdict('quorum a\n', byEd, 'accepted'),
        verdict(both, byBoth, 'accepted'),
        verdict('group any any a b\nquorum any\n', byEd, 'accepted'),
        verdict(both, byEd, 'below quorum'),
        verdict('quorum a\n', bare, 'below quorum'),
        verdict('quorum none\n', byBoth, 'unwitnessed'),
      ],
      tiles: await tiles(),
      tlogProof: { entry: entry(index), text: encodeTlogProof(file) },
      refused: {
        vkeys: [
          refusedText('another id', logKey.replace(/\+./, '+x'), parseVkey),
          refusedText('type 2', 'a+00000000+Ag==', parseVkey),
        ],
        notes: [
          refusedText('no signature', `${text}\n`, parseNote),
          refusedText('a tab', bare.replace('\n', '\t\n'), parseNote),
        ],
        checkpoints: [
          refusedText('an extension line', `${text}more\n`, parseCheckpoint),
          refusedText('a zero in front', text.replace('300', '0300'), parseCheckpoint),
          refusedText('2^53', text.replace('300', '9007199254740992'), parseCheckpoint),
        ],
        policies: [
          refusedText('a group of nobody', `${small}group g all\nquorum g\n`, parsePolicy),
          refusedText('k = 0', `${small}group g 0 a\nquorum g\n`, parsePolicy),
          refusedText('no quorum', small, parsePolicy),
          refusedText('a member twice', `${small}group g 2 a a\nquorum g\n`, parsePolicy),
          refusedText('one key twice', `${small}witness c ${edKey}\nquorum c\n`, parsePolicy),
        ],
        checked: [
          refusedText('another text', byEd.replace('300', '301'), (note) =>
            check(`${small}quorum a\n`, note),
          ),
          refusedText('another log', signNote(text.replace('log.', 'other.'), log), (note) =>
            check(`${small}quorum a\n`, note),
          ),
        ],
        tlogProofs: [
          refusedText(
            'an index with a zero',
            encodeTlogProof(file).replace('index 7', 'index 07'),
            parseTlogProof,
          ),
        ],
      },
    };
  },
};
