import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { accountId, deviceId } from '../wire/ids.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { fromHex } from '../wire/text.ts';
import {
  certHash,
  checkDikProof,
  createDevice,
  decodeDeviceCert,
  encodeDeviceCert,
  proveDik,
  signDeviceCert,
  verifyDeviceCert,
} from './device.ts';
import { ed25519, x25519 } from './primitives.ts';
import { signatureInput } from './signature.ts';

const random = seededRandom('device.test');
const account = accountId('0a'.repeat(16));
const aik = ed25519.fromSeed(random(32));
const bob = createDevice({ account, device: deviceId(1), random });
const cert = signDeviceCert(bob, aik.public, 20_000);
const badSignature = { name: 'Fault', code: 'bad_signature' };

t.test('a device has two key pairs that are not derived from each other', async (t) => {
  const other = createDevice({ account, device: deviceId(1) });
  t.notSame(other.dsk.public, bob.dsk.public);
  t.notSame(bob.dsk.private, bob.dik.private);
});

t.test('a certificate comes back as it was signed and verifies', async (t) => {
  const bytes = encodeDeviceCert(cert);
  t.equal(bytes.length, 186);
  t.same(decodeDeviceCert(bytes), cert);
  t.doesNotThrow(() => verifyDeviceCert(decodeDeviceCert(bytes)));
});

t.test('every field of a certificate is under its signature', async (t) => {
  const mallory = createDevice({ account, device: deviceId(1), random });
  const changed = [
    { account: accountId('0b'.repeat(16)) },
    { aik: ed25519.fromSeed(random(32)).public },
    { device: deviceId(2) },
    { addedDay: cert.addedDay + 1 },
    { dsk: mallory.dsk.public },
    { dik: mallory.dik.public },
  ];
  for (const change of changed) {
    t.throws(
      () => verifyDeviceCert({ ...cert, ...change }),
      badSignature,
      Object.keys(change).join(),
    );
  }
});

t.test('a signature for another purpose does not make a certificate', async (t) => {
  const fields = encodeDeviceCert(cert).subarray(0, -64);
  const signature = ed25519.sign(bob.dsk, signatureInput('device-list', fields));
  t.throws(() => verifyDeviceCert({ ...cert, signature }), badSignature);
  const bare = ed25519.sign(bob.dsk, fields);
  t.throws(() => verifyDeviceCert({ ...cert, signature: bare }), badSignature);
});

t.test('pitfall: all-zero, non-canonical and twist points are no device keys', async (t) => {
  const bytes = encodeDeviceCert(cert);
  const dikAt = 2 + 16 + 32 + 4 + 4 + 32;
  const small = [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    `ec${'ff'.repeat(30)}7f`,
  ];
  const notCanonical = [`ed${'ff'.repeat(30)}7f`, 'ff'.repeat(32), `09${'00'.repeat(30)}80`];
  for (const key of [...small, ...notCanonical]) {
    const wrong = Uint8Array.from(bytes);
    wrong.set(fromHex(key), dikAt);
    t.throws(() => decodeDeviceCert(wrong), { name: 'Fault', code: 'not_canonical' }, key);
  }
  // The list is complete: each of its members gives the all-zero secret that `dh` refuses.
  for (const key of small) {
    t.throws(() => x25519.dh(bob.dik, fromHex(key)), { name: 'Fault', code: 'not_canonical' });
  }
  const smallSigning = [`01${'00'.repeat(31)}`, '00'.repeat(32), `ee${'ff'.repeat(30)}7f`];
  for (const key of smallSigning) {
    const wrong = Uint8Array.from(bytes);
    wrong.set(fromHex(key), dikAt - 32);
    t.throws(() => decodeDeviceCert(wrong), { name: 'Fault', code: 'not_canonical' }, key);
  }
});

t.test(
  'a point of large order on the twist is a key like any other: both sides agree on nothing',
  async (t) => {
    // u = 2 lies on the twist; X25519 is safe there by its choice of curve.
    const twist = new Uint8Array(32).fill(0);
    twist[0] = 2;
    t.equal(x25519.dh(bob.dik, twist).length, 32);
  },
);

t.test('the holder of a DIK proves it for one challenge and one certificate', async (t) => {
  const challenge = x25519.fromPrivate(random(32));
  const proof = proveDik(bob.dik, challenge.public, certHash(cert));
  t.equal(proof.length, 32);
  t.doesNotThrow(() => checkDikProof(challenge, cert.dik, certHash(cert), proof));
});

t.test(
  'pitfall: UKS (peer claims someone’s DIK): without the private half there is no proof',
  async (t) => {
    const mallory = createDevice({
      account: accountId('0b'.repeat(16)),
      device: deviceId(1),
      random,
    });
    const claimed = { ...mallory, dik: { ...mallory.dik, public: bob.dik.public } };
    const claim = signDeviceCert(claimed, ed25519.fromSeed(random(32)).public, 20_000);
    t.doesNotThrow(() => verifyDeviceCert(claim), 'her own signature can say anything');
    const challenge = x25519.fromPrivate(random(32));
    const bad = { name: 'Fault', code: 'bad_proof' };
    const own = proveDik(mallory.dik, challenge.public, certHash(claim));
    t.throws(() => checkDikProof(challenge, claim.dik, certHash(claim), own), bad);
    const forwarded = proveDik(bob.dik, challenge.public, certHash(cert));
    t.throws(
      () => checkDikProof(challenge, claim.dik, certHash(claim), forwarded),
      bad,
      'Bob’s own proof names Bob’s certificate',
    );
  },
);

t.test('a proof is good for its own challenge only', async (t) => {
  const first = x25519.fromPrivate(random(32));
  const second = x25519.fromPrivate(random(32));
  const proof = proveDik(bob.dik, first.public, certHash(cert));
  const bad = { name: 'Fault', code: 'bad_proof' };
  t.throws(() => checkDikProof(second, cert.dik, certHash(cert), proof), bad);
  for (const length of [0, 31, 33]) {
    const other = new Uint8Array(length);
    t.throws(() => checkDikProof(first, cert.dik, certHash(cert), other), bad);
  }
});

t.test('a challenge of small order gets no proof', async (t) => {
  for (const challenge of [new Uint8Array(32), new Uint8Array(31), new Uint8Array(32).fill(0xff)]) {
    t.throws(() => proveDik(bob.dik, challenge, certHash(cert)), { code: 'not_canonical' });
  }
});

t.test('fuzz: the certificate decoder throws faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: (bytes) => {
      const decoded = decodeDeviceCert(bytes);
      verifyDeviceCert(decoded);
      return decoded;
    },
    encode: encodeDeviceCert,
    samples: [encodeDeviceCert(cert)],
    authentic: true,
  });
});
