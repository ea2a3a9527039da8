/** Cards of islands: what is written comes back, and nothing else is taken. docs/protocol/transparency.md §7 */
import * as fc from 'fast-check';
import t from 'tap';
import { ed25519, mldsa44 } from '../crypto/primitives.ts';
import { Fault } from '../wire/fault.ts';
import { ed25519Cosigner, mldsaCosigner } from './cosignature.ts';
import { formatCard, formatCardLink, type IslandCard, parseCard } from './island-card.ts';
import { formatVkey, noteSigner } from './note.ts';

const seed = (n: number) => new Uint8Array(32).fill(n);
const log = formatVkey(noteSigner('pi-kt/abc', ed25519.fromSeed(seed(1))).vkey);
const short = formatVkey(ed25519Cosigner('pi-witness/abc', ed25519.fromSeed(seed(2))).vkey);
const long = formatVkey(mldsaCosigner('pi-witness/abc', mldsa44.fromSeed(seed(3))).vkey);
const other = formatVkey(ed25519Cosigner('pi-witness/xyz', ed25519.fromSeed(seed(4))).vkey);
const card: IslandCard = {
  name: 'Example Peer',
  url: 'https://peer.example:8443/witness',
  ca: seed(9),
  log,
  witness: [short, long],
};

t.test('a card comes back from its file, and from its line as far as that goes', async (t) => {
  t.same(parseCard(formatCard(card)), card);
  const line = formatCardLink(card);
  t.ok(line.length < 400, `${line.length} characters: a QR code that a terminal has room for`);
  t.same(parseCard(line), { ...card, name: 'peer.example', witness: [short] });
  const { ca: _, ...open } = card;
  t.same(parseCard(formatCard(open)), open);
  t.same(parseCard(`${formatCardLink(open)}\n`).ca, undefined);
});

t.test('what is no card is malformed', async (t) => {
  for (const [what, text] of [
    ['nothing', ''],
    ['another format', formatCard(card).replace('v1', 'v2')],
    ['a plain address', formatCard({ ...card, url: 'http://peer.example/witness' })],
    ['a log that cosigns', formatCard({ ...card, log: short })],
    ['a witness that is a log', formatCard({ ...card, witness: [log] })],
    ['two names', formatCard({ ...card, witness: [other, long] })],
    ['twice the same', formatCard({ ...card, witness: [short, short] })],
    ['no key', formatCard({ ...card, witness: [] })],
    ['a root of another length', formatCard({ ...card, ca: seed(1).subarray(1) })],
    ['an invite', 'island://peer.example/join?ca=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
    ['too much', `${formatCard(card)}${' '.repeat(9000)}`],
  ] as const)
    t.throws(() => parseCard(text), { code: 'malformed' }, what);
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc.nat().map((at) => formatCardLink(card).slice(0, at % 180)),
    fc.nat().map((at) => formatCard(card).slice(0, at % 300)),
  );
  await fc.assert(
    fc.property(anything, (text) => {
      try {
        parseCard(text);
        return false;
      } catch (error) {
        return error instanceof Fault;
      }
    }),
  );
});
