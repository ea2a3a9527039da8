import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { accountId, deviceId } from '../wire/ids.ts';
import { ed25519, sha256 } from './primitives.ts';
import {
  aboutLogin,
  aboutRefresh,
  checkDeviceProof,
  type DeviceClaim,
  proofUses,
  proveDevice,
} from './session-proof.ts';
import { signatureInput } from './signature.ts';

const random = seededRandom('session-proof.test');
const dsk = ed25519.fromSeed(random(32));
const claim: DeviceClaim = {
  nonce: random(40),
  account: accountId('0a'.repeat(16)),
  device: deviceId(3),
  use: proofUses.login,
  about: random(32),
};
const bad = { name: 'Fault', code: 'bad_proof' };

t.test('A4: a device shows that it holds its signing key', async (t) => {
  const proof = proveDevice(dsk, claim);
  t.equal(proof.length, 64);
  t.doesNotThrow(() => checkDeviceProof(dsk.public, claim, proof));
});

t.test('A5: a proof is good for its nonce, device, use and request alone', async (t) => {
  const proof = proveDevice(dsk, claim);
  const others: Partial<DeviceClaim>[] = [
    { nonce: random(40) },
    { account: accountId('0b'.repeat(16)) },
    { device: deviceId(4) },
    { use: proofUses.refresh },
    { about: random(32) },
  ];
  for (const other of others) {
    t.throws(() => checkDeviceProof(dsk.public, { ...claim, ...other }, proof), bad);
  }
  const stranger = ed25519.fromSeed(random(32));
  t.throws(() => checkDeviceProof(stranger.public, claim, proof), bad);
  t.throws(() => checkDeviceProof(dsk.public, claim, proof.subarray(1)), bad);
  t.throws(() => checkDeviceProof(new Uint8Array(32), claim, proof), bad);
});

t.test(
  'pitfall: SPK signature purpose confusion: a certificate’s signature is no proof',
  async (t) => {
    const { nonce, about } = claim;
    const fields = Buffer.concat([nonce, Buffer.alloc(16, 0x0a), Buffer.of(0, 0, 0, 3, 2), about]);
    const right = ed25519.sign(dsk, signatureInput('session', fields));
    t.doesNotThrow(() => checkDeviceProof(dsk.public, claim, right), 'laid out as documented');
    for (const purpose of ['device', 'password', 'archive-segment', 'signed-prekey'] as const) {
      const wrong = ed25519.sign(dsk, signatureInput(purpose, fields));
      t.throws(() => checkDeviceProof(dsk.public, claim, wrong), bad, purpose);
    }
  },
);

t.test('a nonce or an about of another length is the caller’s mistake', async (t) => {
  const malformed = { name: 'Fault', code: 'malformed' };
  t.throws(() => proveDevice(dsk, { ...claim, nonce: random(39) }), malformed);
  t.throws(() => proveDevice(dsk, { ...claim, about: random(33) }), malformed);
});

t.test('A5: a refresh is about the token and the attempt', async (t) => {
  const [token, attempt] = [random(32), random(16)];
  t.same(aboutRefresh(token), sha256(token));
  t.same(aboutRefresh(token, attempt), sha256(Buffer.concat([token, attempt])));
  t.same(aboutLogin(token), sha256(token));
});
