import t from 'tap';
import {
  type Checkpoint,
  encodeCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint,
} from './checkpoint.ts';
import { noteVerifier, parseNote, signNote } from './note.ts';
import { logNamed } from './testing/keys.ts';
import { emptyRoot } from './tree.ts';

/** The example of c2sp.org/tlog-checkpoint and c2sp.org/tlog-cosignature. */
const example = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`;

t.test('the example of c2sp.org/tlog-checkpoint is read and written', async (t) => {
  const { text, signatures } = parseNote(example);
  const checkpoint = parseCheckpoint(text);
  t.equal(checkpoint.origin, 'example.com/behind-the-sofa');
  t.equal(checkpoint.size, 20_852_163);
  t.equal(encodeCheckpoint(checkpoint), text);
  t.same(
    signatures.map(({ signature }) => signature.length),
    [64, 72],
  );
});

t.test('what is no checkpoint is refused', async (t) => {
  const root = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=';
  const bad: Record<string, string> = {
    nothing: '',
    'no root': 'a\n1\n',
    'no line feed at the end': `a\n1\n${root}`,
    'no origin': `\n1\n${root}\n`,
    'an origin of 256 bytes': `${'a'.repeat(256)}\n1\n${root}\n`,
    'an extension line': `a\n1\n${root}\nmore\n`,
    'an empty line behind': `a\n1\n${root}\n\n`,
    'a leading zero': `a\n01\n${root}\n`,
    'a sign': `a\n+1\n${root}\n`,
    'less than nothing': `a\n-1\n${root}\n`,
    'a fraction': `a\n1.5\n${root}\n`,
    'an exponent': `a\n1e3\n${root}\n`,
    'a size of 2^53': `a\n9007199254740992\n${root}\n`,
    'a size of 2^64': `a\n18446744073709551616\n${root}\n`,
    'digits of another script': `a\n\u0661\n${root}\n`,
    'a blank': `a\n1 \n${root}\n`,
    'a root of 31 bytes': 'a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n',
    'a root of 33 bytes': 'a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2IA\n',
    'a root with spare bits': `a\n1\n${root.replace('I=', 'J=')}\n`,
    'a root in base64url': `a\n1\n${root.replace('/', '_')}\n`,
    'a carriage return': `a\r\n1\r\n${root}\r\n`,
  };
  for (const [what, text] of Object.entries(bad)) {
    t.throws(() => parseCheckpoint(text), { code: 'note_malformed' }, what);
  }
  const good: Checkpoint = { origin: 'a', size: 0, root: emptyRoot };
  t.same(parseCheckpoint(encodeCheckpoint(good)), good);
  for (const other of [
    { origin: '' },
    { origin: 'a\nb' },
    { origin: 'a\tb' },
    { origin: '\u20ac'.repeat(86) },
    { size: -1 },
    { size: 0.5 },
    { size: 2 ** 53 },
    { root: new Uint8Array(31) },
  ]) {
    t.throws(() => encodeCheckpoint({ ...good, ...other }), { code: 'note_malformed' });
  }
});

t.test('K1: a checkpoint is believed of its own log only', async (t) => {
  const log = logNamed('log.example');
  const verifier = noteVerifier(log.vkey);
  const checkpoint: Checkpoint = { origin: 'log.example', size: 7, root: emptyRoot };
  t.same(openCheckpoint(signCheckpoint(checkpoint, log), verifier), checkpoint);
  const elsewhere = { ...checkpoint, origin: 'other.example' };
  const cases: [string, string, string][] = [
    ['unknown_origin', signCheckpoint(elsewhere, log), 'the right key, another origin'],
    ['unknown_origin', signCheckpoint({ ...checkpoint, origin: 'log.example2' }, log), 'longer'],
    ['signature_invalid', signCheckpoint(checkpoint, logNamed('other.example')), 'another key'],
    ['note_malformed', signNote('log.example\nhello\n', log), 'signed, but no checkpoint'],
    ['note_malformed', 'log.example', 'no note'],
    ['note_malformed', '', 'nothing'],
    ['note_malformed', example.replace('20852163', '020852163'), 'no checkpoint of another'],
  ];
  for (const [code, note, what] of cases) {
    t.throws(() => openCheckpoint(note, verifier), { code }, what);
  }
});
