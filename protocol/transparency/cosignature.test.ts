/** Cosignatures of both kinds: by the layout of c2sp.org/tlog-cosignature, written out again here. */
import t from 'tap';
import { ed25519, mldsa44 } from '../crypto/primitives.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { encodeCheckpoint } from './checkpoint.ts';
import {
  cosignatureTime,
  cosignatureVerifier,
  ed25519Cosigner,
  mldsaCosigner,
  verifierOf,
} from './cosignature.ts';
import { logNamed, mldsaWitnessNamed, witnessNamed } from './testing/keys.ts';
import { emptyRoot } from './tree.ts';

const origin = 'example.com/behind-the-sofa';
const text = `${origin}\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n`;
const time = 1_679_315_147;

t.test('K1: type 0x04 signs the lines of c2sp.org/tlog-cosignature', async (t) => {
  const cosigner = witnessNamed('witness.example.com/w1');
  const { name, keyId, signature } = cosigner.cosign(text, time);
  t.equal(name, 'witness.example.com/w1');
  t.same(keyId, cosigner.vkey.keyId);
  t.equal(signature.length, 72);
  t.equal(cosignatureTime(signature), time);
  const lines = `cosignature/v1\ntime 1679315147\n${text}`;
  t.ok(ed25519.verify(cosigner.vkey.key, utf8Bytes(lines), signature.subarray(8)));
});

t.test('K1: type 0x06 signs the structure of c2sp.org/tlog-cosignature', async (t) => {
  const cosigner = mldsaWitnessNamed('w');
  const { signature } = cosigner.cosign(text, time);
  t.equal(signature.length, 2428);
  const message = new DataView(new ArrayBuffer(12 + 2 + 8 + 1 + origin.length + 8 + 8 + 32));
  const bytes = new Uint8Array(message.buffer);
  bytes.set(utf8Bytes('subtree/v1\n\0'));
  bytes.set([1, 0x77], 12);
  message.setUint32(18, time);
  bytes.set([origin.length, ...utf8Bytes(origin)], 22);
  message.setUint32(23 + origin.length + 8 + 4, 20_852_163);
  bytes.set(
    Buffer.from('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=', 'base64'),
    39 + origin.length,
  );
  t.ok(mldsa44.verify(cosigner.vkey.key, bytes, signature.subarray(8)));
});

for (const [kind, cosigner, other] of [
  ['0x04', witnessNamed('w'), witnessNamed('v')],
  ['0x06', mldsaWitnessNamed('w'), mldsaWitnessNamed('v')],
] as const) {
  t.test(`K1: ${kind}: time, checkpoint and key are bound; anything else is refused`, async (t) => {
    const verifier = cosignatureVerifier(cosigner.vkey);
    const { signature } = cosigner.cosign(text, time);
    t.ok(verifier.verify(text, signature));
    const aside = await cosigner.cosignAside(text, time);
    t.match(aside, { name: 'w', keyId: cosigner.vkey.keyId });
    t.ok(verifier.verify(text, aside.signature), 'the same in another thread');
    t.equal(cosignatureTime(aside.signature), time);
    await t.rejects(cosigner.cosignAside(text, 0), { code: 'note_malformed' });
    t.ok(verifierOf(cosigner.vkey).verify(text, signature));
    t.notOk(verifier.verify(text.replace('63\n', '64\n'), signature), 'another size');
    t.notOk(verifier.verify(text.replace('sofa', 'sofb'), signature), 'another log');
    t.notOk(verifier.verify(text.replace('CsUY', 'CsUZ'), signature), 'another root');
    t.notOk(verifier.verify('no checkpoint\n', signature));
    t.notOk(verifier.verify(text, other.cosign(text, time).signature), 'another key');
    for (const at of [7, 8, signature.length - 1]) {
      const bent = Uint8Array.from(signature);
      bent[at] = (bent[at] ?? 0) ^ 1;
      t.notOk(verifier.verify(text, bent), `byte ${at}`);
    }
    for (const length of [0, 7, 8, signature.length - 1]) {
      t.notOk(verifier.verify(text, signature.subarray(0, length)), `${length} bytes`);
    }
    t.notOk(verifier.verify(text, concat(signature, Uint8Array.of(0))), 'a byte more');
    const late = concat(new Uint8Array(8).fill(0xff), signature.subarray(8));
    t.notOk(verifier.verify(text, late), 'a time that there is not');
    for (const never of [0, -1, 1.5, 2 ** 53, Number.NaN]) {
      t.throws(() => cosigner.cosign(text, never), { code: 'note_malformed' }, `time ${never}`);
    }
    t.throws(() => cosigner.cosign(`${text}extension\n`, time), { code: 'note_malformed' });
  });
}

t.test('a cosignature without a time counts for nothing', async (t) => {
  const pair = ed25519.fromSeed(seededRandom('timeless')(32));
  const message = utf8Bytes(`cosignature/v1\ntime 0\n${text}`);
  const signature = concat(new Uint8Array(8), ed25519.sign(pair, message));
  t.notOk(cosignatureVerifier(ed25519Cosigner('w', pair).vkey).verify(text, signature));
});

t.test("K1: a log's own signature is no cosignature, and the other way round", async (t) => {
  const pair = ed25519.fromSeed(seededRandom('both')(32));
  const log = logNamed('log.example');
  t.throws(() => cosignatureVerifier(log.vkey), { code: 'vkey_malformed' });
  const cosigner = ed25519Cosigner('log.example', pair);
  const stamped = cosigner.cosign(text, time).signature;
  t.notOk(verifierOf(log.vkey).verify(text, stamped));
  t.notOk(
    verifierOf(cosigner.vkey).verify(
      text,
      concat(stamped.subarray(0, 8), ed25519.sign(pair, utf8Bytes(text))),
    ),
  );
});

t.test('names that do not fit are refused before anything is signed', async (t) => {
  const pair = mldsa44.fromSeed(seededRandom('long name')(32));
  const long = mldsaCosigner('n'.repeat(256), pair);
  const small = encodeCheckpoint({ origin: 'a', size: 0, root: emptyRoot });
  t.throws(() => long.cosign(small, time), { code: 'note_malformed' });
  t.throws(() => mldsaCosigner('a b', pair), { code: 'vkey_malformed' });
});
