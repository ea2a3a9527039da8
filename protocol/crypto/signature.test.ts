import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { ed25519 } from './primitives.ts';
import { mustVerify, purposes, sign, signatureInput } from './signature.ts';

const pair = ed25519.fromSeed(seededRandom('signature.test')(32));
const fields = Uint8Array.of(1, 2, 3);

t.test('pitfall: SPK signature purpose confusion: no signature serves two purposes', async (t) => {
  for (const made of purposes) {
    const signature = sign(made, pair, fields);
    for (const asked of purposes) {
      const verify = () => mustVerify(asked, pair.public, fields, signature);
      if (made === asked) t.doesNotThrow(verify, made);
      else t.throws(verify, { name: 'Fault', code: 'bad_signature' }, `${made} as ${asked}`);
    }
  }
});

t.test('no choice of fields makes the input of one purpose that of another', async (t) => {
  for (const one of purposes) {
    for (const other of purposes) {
      if (one === other) continue;
      const head = Buffer.from(signatureInput(one, new Uint8Array(0)));
      const longer = Buffer.from(signatureInput(other, new Uint8Array(64)));
      t.notOk(longer.subarray(0, head.length).equals(head), `${one} begins no ${other}`);
    }
  }
});

t.test('the purpose is spelled as encoding.md §4 says', async (t) => {
  const input = Buffer.from(signatureInput('device', fields));
  t.equal(input.toString('latin1'), 'PI/1/sig/device\0\x01\x02\x03');
});
