import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { concat, Writer } from '../wire/bytes.ts';
import { accountId, deviceId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { CryptoFault } from './crypto-fault.ts';
import { chacha, ed25519, hkdf, hmac, x25519 } from './primitives.ts';
import { type Content, contentTypes, longestMessage, open, seal } from './sealed-envelope.ts';
import { certificateBytes, issueCertificate, signSenderKey } from './sender-certificate.ts';

const random = seededRandom('sealed-envelope.test');
const bob = x25519.fromPrivate(random(32));
const ann = x25519.fromPrivate(random(32));
const sender = {
  name: 'ann',
  account: accountId('0a'.repeat(16)),
  device: deviceId(3),
  aik: ed25519.generate().public,
  dsk: ed25519.generate().public,
  dik: ann.public,
  listEpoch: 1,
};
const root = ed25519.generate();
const pair = ed25519.generate();
const key = { kid: 1, public: pair.public, nbfDay: 20_000, expDay: 20_030 };
const signer = { bytes: signSenderKey(root, key), pair };
const certified = (name: string): Uint8Array =>
  issueCertificate(signer, { ...sender, name }, 20_000 * 86_400);
const certificate = certified('ann');
const content = (message: Uint8Array): Content => {
  return { certificate, type: contentTypes.ratchet, message };
};
const small = content(Uint8Array.of(1, 2, 3));
const unsealable = { name: 'CryptoFault', code: 'unsealable' };

t.test('M2: the recipient device learns sender, type and message', async (t) => {
  t.same(open(bob, seal(bob.public, small)), small);
  const largest = content(new Uint8Array(longestMessage).fill(5));
  const envelope = seal(bob.public, largest);
  t.equal(envelope.length, limits.envelopeBytes);
  t.same(open(bob, envelope), largest);
});

t.test(
  'M2: nothing of the sender can be seen in an envelope, and no two envelopes are alike',
  async (t) => {
    const envelopes = [seal(bob.public, small), seal(bob.public, small)];
    const [first, second] = envelopes.map((bytes) => Buffer.from(bytes));
    for (const bytes of [first, second]) {
      t.notOk(bytes?.includes(Buffer.from(sender.account, 'hex')));
      t.notOk(bytes?.includes(Buffer.from(sender.name)));
      t.notOk(bytes?.includes(Buffer.from(sender.dik)));
      t.notOk(bytes?.includes(Buffer.from(bob.public)), 'nor of the recipient');
    }
    t.notSame(first?.subarray(2, 34), second?.subarray(2, 34));
  },
);

t.test('another device opens nothing, the sender included', async (t) => {
  const envelope = seal(bob.public, small);
  t.throws(() => open(ann, envelope), unsealable);
  t.throws(() => open(x25519.generate(), envelope), unsealable);
});

t.test('an altered envelope opens nothing', async (t) => {
  const envelope = seal(bob.public, small);
  for (const at of [10, 36, 60, envelope.length - 1]) {
    const altered = Uint8Array.from(envelope);
    altered[at] = (altered[at] ?? 0) ^ 1;
    t.throws(() => open(bob, altered), unsealable, `byte ${at}`);
  }
});

t.test('M2: the size of an envelope does not tell the length of the sender’s name', async (t) => {
  const sizes = ['a', 'x'.repeat(limits.nameCharacters)].map((name) => {
    const named = { ...small, certificate: certified(name) };
    t.same(open(bob, seal(bob.public, named)), named);
    return seal(bob.public, named).length;
  });
  t.equal(new Set(sizes).size, 1);
});

t.test('a message that does not fit is refused before anything is sealed', async (t) => {
  const over = content(new Uint8Array(longestMessage + 1));
  t.throws(() => seal(bob.public, over), { name: 'Fault', code: 'too_large' });
  const short = { ...small, certificate: certificate.subarray(1) };
  t.throws(() => seal(bob.public, short), { name: 'Fault', code: 'malformed' });
  const large = new Uint8Array(limits.envelopeBytes + 1);
  t.throws(() => open(bob, large), { name: 'Fault', code: 'too_large' });
});

t.test('pitfall: all-zero, non-canonical and twist points: neither end takes them', async (t) => {
  const notCanonical = { name: 'Fault', code: 'not_canonical' };
  const one = new Uint8Array(32);
  one[0] = 1;
  for (const key of [new Uint8Array(32), one, new Uint8Array(32).fill(0xff)]) {
    t.throws(() => seal(key, small), notCanonical);
    const envelope = seal(bob.public, small);
    envelope.set(key, 2);
    t.throws(() => open(bob, envelope), notCanonical);
  }
});

t.test('pitfall: HMAC salt length: the salt of 71 bytes is hashed as HKDF says', async (t) => {
  const ephemeral = x25519.fromPrivate(new Uint8Array(32).fill(9));
  const envelope = seal(bob.public, small, () => new Uint8Array(32).fill(9));
  const label = new TextEncoder().encode('PI/1/SS');
  const salt = concat(label, bob.public, ephemeral.public);
  t.equal(salt.length, 71);
  // RFC 5869 by hand: two blocks of output.
  const prk = hmac(salt, x25519.dh(ephemeral, bob.public));
  const t1 = hmac(prk, concat(label, Uint8Array.of(1)));
  const t2 = hmac(prk, concat(t1, label, Uint8Array.of(2)));
  t.same(concat(t1, t2).subarray(0, 44), hkdf(salt, x25519.dh(bob, ephemeral.public), label, 44));
  const opened = chacha.open(
    t1,
    t2.subarray(0, 12),
    envelope.subarray(36),
    envelope.subarray(0, 34),
  );
  t.equal(opened?.length, certificateBytes + 5 + 3);
});

/** What an ill-meaning sender can put inside: it is authentic, and still decoded strictly. */
function sealRaw(bytes: Uint8Array): Uint8Array {
  const ephemeral = x25519.fromPrivate(random(32));
  const label = new TextEncoder().encode('PI/1/SS');
  const salt = concat(label, bob.public, ephemeral.public);
  const keys = hkdf(salt, x25519.dh(ephemeral, bob.public), label, 44);
  const head = concat(Uint8Array.of(1, 0x30), ephemeral.public);
  const sealed = chacha.seal(keys.subarray(0, 32), keys.subarray(32), bytes, head);
  return new Writer().raw(head).var16(sealed).done();
}

function contentBytes(): Uint8Array {
  const out = new Writer().u8(1).u8(0x31).raw(certificate);
  return out
    .u8(1)
    .var16(Uint8Array.of(1, 2, 3))
    .done();
}

t.test('what is inside is decoded strictly', async (t) => {
  t.same(open(bob, sealRaw(contentBytes())), small);
  const wrong: [string, Uint8Array][] = [
    ['trailing_bytes', concat(contentBytes(), Uint8Array.of(0))],
    ['truncated', contentBytes().subarray(0, -1)],
    ['truncated', new Uint8Array(0)],
    ['unknown_version', contentBytes().fill(2, 0, 1)],
    ['unknown_type', contentBytes().fill(2, 1, 2)],
    ['unknown_type', contentBytes().fill(9, 2 + certificateBytes, 3 + certificateBytes)],
  ];
  for (const [code, bytes] of wrong) {
    t.throws(() => open(bob, sealRaw(bytes)), { name: 'Fault', code }, code);
  }
});

t.test('fuzz: the envelope decoder throws faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: (bytes) => open(bob, bytes),
    samples: [seal(bob.public, small), seal(bob.public, content(new Uint8Array(500)))],
    authentic: true,
    otherFault: (error) => error instanceof CryptoFault && error.code === 'unsealable',
  });
});
