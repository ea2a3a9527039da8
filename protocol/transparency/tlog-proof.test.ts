import * as fc from 'fast-check';
import t from 'tap';
import { base64 } from '../wire/text.ts';
import { type Checkpoint, signCheckpoint } from './checkpoint.ts';
import { addSignatures, formatVkey, parseNote } from './note.ts';
import { parsePolicy } from './policy.ts';
import { logNamed, witnessNamed } from './testing/keys.ts';
import { sampleLog } from './testing/sample-log.ts';
import { encodeTlogProof, parseTlogProof, verifyTlogProof } from './tlog-proof.ts';
import { TransparencyFault } from './transparency-fault.ts';
import { leafHash } from './tree.ts';
import { inclusionProof } from './tree-proofs.ts';

const signer = logNamed('log.example');
const witness = witnessNamed('w');
const policy = parsePolicy(`log ${formatVkey(signer.vkey)}
witness w ${formatVkey(witness.vkey)}
quorum w\n`);
const strict = { allowUnwitnessed: false };

const size = 300;
const index = 77;
const log = sampleLog(size);
const checkpoint: Checkpoint = { origin: 'log.example', size, root: log.root(size) };
const bare = signCheckpoint(checkpoint, signer);
const note = addSignatures(bare, [witness.cosign(parseNote(bare).text, 1000)]);
const proof = await inclusionProof(index, size, log.read);
const extra = Uint8Array.of(1, 2, 3);
const file = encodeTlogProof({ extra, index, proof, checkpoint: note });
const leaf = log.leaves[index] ?? leafHash(extra);

t.test(
  'K1: the lines are those of c2sp.org/tlog-proof, and verify without the island',
  async (t) => {
    const lines = file.split('\n');
    t.same(lines.slice(0, 3), ['c2sp.org/tlog-proof@v1', 'extra AQID', 'index 77']);
    t.same(lines.slice(3, 12), proof.map(base64));
    t.equal(lines[12], '');
    t.equal(lines.slice(13).join('\n'), note, 'the checkpoint as it is');
    const read = parseTlogProof(file);
    t.same(read, { extra, index, proof, checkpoint: note });
    const checked = verifyTlogProof(read, leaf, policy, strict);
    t.same(checked.checkpoint, checkpoint);
    t.same(checked.cosigners, [{ name: 'w', timestamp: 1000 }]);
    const plain = encodeTlogProof({ index, proof, checkpoint: note });
    t.equal(plain, file.replace('extra AQID\n', ''));
    t.same(parseTlogProof(plain), { index, proof, checkpoint: note });
  },
);

t.test('K1: a proof of another entry, index, log or below quorum is refused', async (t) => {
  const good = { index, proof, checkpoint: note };
  const code = (of: typeof good, hash = leaf) => {
    try {
      verifyTlogProof(of, hash, policy, strict);
      return 'accepted';
    } catch (error) {
      if (error instanceof TransparencyFault) return error.code;
      throw error;
    }
  };
  t.equal(code(good), 'accepted');
  t.equal(code(good, leafHash(extra)), 'inclusion_invalid');
  t.equal(code({ ...good, index: index + 1 }), 'inclusion_invalid');
  t.equal(code({ ...good, proof: proof.slice(1) }), 'inclusion_invalid');
  t.equal(code({ ...good, checkpoint: bare }), 'quorum_missing');
  const other = signCheckpoint(
    { ...checkpoint, origin: 'other.example' },
    logNamed('other.example'),
  );
  t.equal(code({ ...good, checkpoint: other }), 'unknown_origin');
});

t.test('the only entry of a log has a proof of no lines', async (t) => {
  const one = { ...checkpoint, size: 1, root: leaf };
  const text = encodeTlogProof({ index: 0, proof: [], checkpoint: signCheckpoint(one, signer) });
  t.match(text, /^c2sp\.org\/tlog-proof@v1\nindex 0\n\nlog\.example\n1\n/);
  const allowed = { allowUnwitnessed: true };
  const unwitnessed = parsePolicy(`log ${formatVkey(signer.vkey)}\nquorum none\n`);
  t.equal(verifyTlogProof(parseTlogProof(text), leaf, unwitnessed, allowed).witnessed, false);
});

t.test('what is no proof is refused', async (t) => {
  const cases: Record<string, string> = {
    nothing: '',
    'another version': file.replace('@v1', '@v2'),
    'no index': file.replace('index 77\n', ''),
    'an index with a zero in front': file.replace('index 77', 'index 077'),
    'a negative index': file.replace('index 77', 'index -77'),
    'a second index': file.replace('index 77', 'index 77\nindex 77'),
    'a word behind the index': file.replace('index 77', 'index 77 78'),
    'extra twice': file.replace('extra AQID', 'extra AQID\nextra AQID'),
    'extra behind the index': file.replace('extra AQID\nindex 77', 'index 77\nextra AQID'),
    'extra of nothing': file.replace('extra AQID', 'extra '),
    'extra that is no base64': file.replace('extra AQID', 'extra AQI'),
    'a hash of 31 bytes': file.replace(/index 77\n.*/, `index 77\n${base64(new Uint8Array(31))}`),
    'no hash': file.replace(/index 77\n.*/, 'index 77\nhello'),
    '64 hashes': file.replace('index 77\n', `index 77\n${`${base64(leaf)}\n`.repeat(64)}`),
    'no checkpoint': file.slice(0, file.indexOf('\n\n') + 2),
    'no signature': file.slice(0, file.lastIndexOf('\n\n') + 2),
    'carriage returns': file.replaceAll('\n', '\r\n'),
    'a line in front': `\n${file}`,
    'a byte behind': `${file}x`,
  };
  for (const [what, text] of Object.entries(cases)) {
    t.throws(() => parseTlogProof(text), { code: 'note_malformed' }, what);
  }
  t.throws(() => encodeTlogProof({ index: -1, proof, checkpoint: note }), {
    code: 'note_malformed',
  });
  t.throws(() => encodeTlogProof({ index, proof, checkpoint: 'x' }), { code: 'note_malformed' });
  const pieces = file.split(/(?<=[\n ])/);
  await fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces, '', '\n', 'x'), { maxLength: 25 }), (some) => {
      const text = some.join('');
      try {
        return encodeTlogProof(parseTlogProof(text)) === text;
      } catch (error) {
        return error instanceof TransparencyFault && error.code === 'note_malformed';
      }
    }),
  );
});
