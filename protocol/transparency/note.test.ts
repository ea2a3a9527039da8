/** Notes and keys: the examples of c2sp.org/signed-note, and everything that is no note. */
import * as fc from 'fast-check';
import t from 'tap';
import { base64, hex } from '../wire/text.ts';
import {
  addSignatures,
  formatNote,
  formatVkey,
  keyTypes,
  makeVkey,
  noteFromBytes,
  noteMax,
  noteVerifier,
  parseNote,
  parseSignatureLines,
  parseVkey,
  signatureOf,
  signaturesMax,
  signNote,
  verifyNote,
} from './note.ts';
import { logNamed, mldsaWitnessNamed, witnessNamed } from './testing/keys.ts';
import { TransparencyFault } from './transparency-fault.ts';

const exampleKey = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const example = `This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`;
const poem = `Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
`;

const exampleVerifier = noteVerifier(parseVkey(exampleKey));
const malformed = { name: 'TransparencyFault', code: 'note_malformed' };
const wrong = { name: 'TransparencyFault', code: 'signature_invalid' };

t.test('K1: the example of c2sp.org/signed-note verifies under its key', async (t) => {
  const { text, verified } = verifyNote(example, [exampleVerifier]);
  t.equal(text, 'This is an example message.\n');
  t.same(
    verified.map(({ vkey }) => formatVkey(vkey)),
    [exampleKey],
  );
  t.throws(() => verifyNote(example.replace('an', 'no'), [exampleVerifier]), wrong);
  t.throws(() => verifyNote(example.replace('IneyaQM', 'IneyaQN'), [exampleVerifier]), malformed);
  t.throws(() => verifyNote(example.replace('Oyn8', 'Ozn8'), []), wrong, 'nobody is trusted');
});

t.test('the last empty line parts text and signatures', async (t) => {
  const note = parseNote(poem);
  t.match(note.text, /^Ognuno.*\n\ned è subito sera\.\n$/s);
  t.same(
    note.signatures.map(({ name }) => name),
    ['quasimodo.example/salvatore'],
  );
  t.equal(formatNote(note), poem);
});

const line = example.split('\n')[2] ?? '';
t.test('what is no note is refused', async (t) => {
  const cases: Record<string, string> = {
    'no empty line': `text\n${line}\n`,
    'no signature': 'text\n\n',
    'no line feed at the end': `text\n\n${line}`,
    'a carriage return': `text\r\n\n${line}\n`,
    'a tab in the text': `te\txt\n\n${line}\n`,
    'a zero byte': `te\0xt\n\n${line}\n`,
    'a lone surrogate': `te\ud800xt\n\n${line}\n`,
    'a hyphen for the dash': `text\n\n${line.replace('—', '-')}\n`,
    'two blanks': `text\n\n${line.replace('— ', '—  ')}\n`,
    'a blank behind': `text\n\n${line} \n`,
    'no name': `text\n\n${line.replace('example.com/foo', '')}\n`,
    'a plus in the name': `text\n\n${line.replace('foo', 'f+o')}\n`,
    'a space of Unicode in the name': `text\n\n${line.replace('foo', 'f\u2003o')}\n`,
    'a no-break space in the name': `text\n\n${line.replace('foo', 'f\u00a0o')}\n`,
    'base64 without padding': `text\n\n${line.slice(0, -1)}\n`,
    'four bytes': `text\n\n— a ${base64(new Uint8Array(4))}\n`,
    'too much': `${'x'.repeat(noteMax)}\n\n${line}\n`,
    'too much in bytes': `${'\u20ac'.repeat(noteMax / 2)}\n\n${line}\n`,
    'too many signatures': `text\n\n${`${line}\n`.repeat(signaturesMax + 1)}`,
  };
  for (const [what, note] of Object.entries(cases)) {
    t.throws(() => parseNote(note), malformed, what);
  }
  t.throws(() => noteFromBytes(Uint8Array.of(0xff, 0x0a)), malformed, 'no UTF-8');
  t.throws(() => noteFromBytes(new Uint8Array(noteMax + 1)), malformed);
  t.throws(() => parseSignatureLines(''), malformed, 'no lines');
  for (const text of ['', 'text', 'te\rxt\n']) {
    t.throws(() => formatNote({ text, signatures: parseSignatureLines(`${line}\n`) }), malformed);
  }
  t.throws(() => formatNote({ text: 'text\n', signatures: [] }), malformed);
});

t.test('any text gets a fault or comes back as it was', async () => {
  const piece = fc.constantFrom(...'\n\n— +=aA0é\t '.split(''), line, '— ', '\n\n', 'text\n');
  await fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const note = pieces.join('');
      try {
        return formatNote(parseNote(note)) === note;
      } catch (error) {
        return error instanceof TransparencyFault && error.code === 'note_malformed';
      }
    }),
    { numRuns: 1000 },
  );
});

const log = logNamed('log.example');
const verifier = noteVerifier(log.vkey);

t.test(
  'K1: unknown signatures are passed over, a wrong one of a known key spoils the note',
  async (t) => {
    const text = 'of the log\n';
    const other = logNamed('other.example');
    const note = signNote(text, other, log);
    t.equal(verifyNote(note, [verifier]).verified.length, 1);
    t.throws(() => verifyNote(signNote(text, other), [verifier]), wrong, 'only of others');
    // Somebody else's key under the log's name is another key.
    const namesake = { vkey: { ...log.vkey, keyId: other.vkey.keyId }, sign: other.sign };
    t.throws(() => verifyNote(signNote(text, namesake), [verifier]), wrong);
    t.equal(verifyNote(signNote(text, namesake, log), [verifier]).verified.length, 1);
    // The right signature under another name is nobody's.
    const renamed = { vkey: { ...log.vkey, name: 'else.example' }, sign: log.sign };
    t.throws(() => verifyNote(signNote(text, renamed), [verifier]), wrong);
    const forged = { vkey: log.vkey, sign: other.sign };
    t.throws(() => verifyNote(signNote(text, forged), [verifier]), wrong);
    t.throws(
      () => verifyNote(signNote(text, log, forged), [verifier]),
      wrong,
      'beside a right one',
    );
  },
);

t.test('signatures are added behind, none twice', async (t) => {
  const text = 'of the log\n';
  const note = signNote(text, log);
  const more = signatureOf(text, logNamed('other.example'));
  const added = addSignatures(note, [more, more, signatureOf(text, log)]);
  t.equal(added, signNote(text, log, logNamed('other.example')));
});

t.test('vkeys of every kind come back as they were; what is none is refused', async (t) => {
  const known = [log.vkey, witnessNamed('w').vkey, mldsaWitnessNamed('w').vkey];
  for (const vkey of known) t.same(parseVkey(formatVkey(vkey)), vkey);
  t.equal(new Set(known.map(({ keyId }) => hex(keyId))).size, 3, 'another type, another id');
  const key = new Uint8Array(32);
  const ecdsa = `a+00000000+${base64(Uint8Array.of(2, ...key))}`;
  for (const bad of [
    '',
    'example.com/foo',
    exampleKey.replace('530d903a', '530d903b'),
    exampleKey.replace('530d903a', '530D903A'),
    exampleKey.replace('foo', 'fop'),
    exampleKey.replace('foo', 'f o'),
    exampleKey.slice(0, -4),
    `${exampleKey}\n`,
    `${exampleKey} `,
    `+${exampleKey}`,
    exampleKey.replace('AekyeRrm', 'AeKyeRrm'),
    ecdsa,
    'a'.repeat(5000),
  ]) {
    t.throws(() => parseVkey(bad), { code: 'vkey_malformed' }, JSON.stringify(bad));
  }
  t.throws(() => makeVkey('a', keyTypes.mldsaCosignature, key), { code: 'vkey_malformed' });
  t.throws(() => noteVerifier(witnessNamed('w').vkey), { code: 'vkey_malformed' });
});
