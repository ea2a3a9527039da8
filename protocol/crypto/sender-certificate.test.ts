import t from 'tap';
import { SampleAccount } from '../vectors/sample-account.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { concat } from '../wire/bytes.ts';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { CryptoFault } from './crypto-fault.ts';
import { ed25519, type SigningPair } from './primitives.ts';
import {
  type CertificateSigner,
  type CertifiedSender,
  certificateBytes,
  issueCertificate,
  openCertificate,
  readCertificate,
  readSenderKey,
  type SenderKey,
  senderKeyBytes,
  signSenderKey,
} from './sender-certificate.ts';
import { sign } from './signature.ts';
import { codeOf } from './testing/devices.ts';

const random = seededRandom('sender-certificate.test');
const ann = new SampleAccount(random);
const root = ed25519.generate(random);
const pair = ed25519.generate(random);
const firstDay = 20_780;
const key: SenderKey = { kid: 7, public: pair.public, nbfDay: firstDay, expDay: firstDay + 30 };
const signer: CertificateSigner = { bytes: signSenderKey(root, key), pair };
const { account, device, dsk, dik } = ann.one;
const sender: CertifiedSender = {
  ...{ name: 'ann', account, device, listEpoch: 3 },
  ...{ aik: ann.aik.public, dsk: dsk.public, dik: dik.public },
};
const made = firstDay * 86_400 + 5_000;
const chain = issueCertificate(signer, sender, made);
const open = (bytes: Uint8Array, seconds = made): string =>
  codeOf(() => openCertificate(bytes, root.public, seconds * 1000));

/** `at` bytes of the certificate changed, then signed as an island would. */
function signedAgain(at: number, value: Uint8Array, by: SigningPair = pair): Uint8Array {
  const fields = chain.slice(senderKeyBytes, -64);
  fields.set(value, at < 0 ? fields.length + at : at);
  return concat(signer.bytes, fields, sign('sender-certificate', by, fields));
}

t.test('a certificate says what it was issued for, in one length', async (t) => {
  t.equal(chain.length, certificateBytes);
  t.same(openCertificate(chain, root.public, made * 1000), {
    ...sender,
    ...{ notBefore: made, expires: made + limits.senderCertificateSeconds, kid: 7 },
  });
  const longest = { ...sender, name: 'a'.repeat(32) };
  t.equal(issueCertificate(signer, longest, made).length, certificateBytes);
});

t.test(
  'pitfall: a certificate is good for as long as an envelope may wait, and no longer',
  async (t) => {
    const expires = made + limits.senderCertificateSeconds;
    const waits = (limits.envelopeDays + 1) * 86_400;
    t.equal(open(chain, expires + 1), 'none');
    t.equal(open(chain, expires + waits), 'none');
    t.equal(open(chain, expires + waits + 1), 'certificate_expired');
    t.equal(open(chain, made - 3600), 'none');
    t.equal(open(chain, made - 3601), 'certificate_invalid');
  },
);

t.test('a key signs certificates that begin on its days, and on no others', async (t) => {
  const at = (day: number): string => {
    const begins = day * 86_400;
    return open(issueCertificate(signer, sender, begins), begins);
  };
  t.equal(at(firstDay), 'none');
  t.equal(at(firstDay + 29), 'none');
  t.equal(at(firstDay + 30), 'certificate_invalid');
  t.equal(at(firstDay - 1), 'certificate_invalid');
});

t.test(
  'a certificate of another island, or of a key that its root did not sign, is refused',
  async (t) => {
    const other = ed25519.generate();
    t.equal(
      codeOf(() => openCertificate(chain, other.public, made * 1000)),
      'certificate_invalid',
    );
    const foreign = { bytes: signSenderKey(other, { ...key, public: other.public }), pair: other };
    t.equal(open(issueCertificate(foreign, sender, made)), 'certificate_invalid');
    t.equal(
      open(issueCertificate({ bytes: signer.bytes, pair: other }, sender, made)),
      'certificate_invalid',
    );
  },
);

t.test('a certificate under the name of another key is refused', async (t) => {
  t.equal(open(signedAgain(-4, Uint8Array.of(0, 0, 0, 8))), 'certificate_invalid');
  const second = ed25519.generate();
  const bytes = signSenderKey(root, { ...key, kid: 8, public: second.public });
  t.equal(open(concat(bytes, chain.subarray(senderKeyBytes))), 'certificate_invalid');
});

t.test('a certificate that lives longer than it may, or not at all, is refused', async (t) => {
  const until = (seconds: number): Uint8Array => {
    const value = new Uint8Array(8);
    new DataView(value.buffer).setBigUint64(0, BigInt(seconds));
    return signedAgain(-12, value);
  };
  t.equal(open(until(made + limits.senderCertificateSeconds)), 'none');
  t.equal(open(until(made + limits.senderCertificateSeconds + 1)), 'certificate_invalid');
  t.equal(open(until(made)), 'certificate_invalid');
});

t.test('a name has one spelling in its field, keys are canonical, device 0 is none', async (t) => {
  const name = new Uint8Array(32);
  for (const wrong of ['ann\0x', 'Ann', '', 'ann ']) {
    name.fill(0);
    name.set(Buffer.from(wrong));
    t.equal(open(signedAgain(2, name)), 'certificate_invalid', wrong);
  }
  t.equal(open(signedAgain(50, new Uint8Array(4))), 'certificate_invalid');
  for (const at of [54, 86, 118]) {
    t.equal(open(signedAgain(at, new Uint8Array(32))), 'certificate_invalid');
    t.equal(open(signedAgain(at, new Uint8Array(32).fill(0xff))), 'certificate_invalid');
  }
});

t.test(
  'no root signs a key without days, with more than it may have, or one that is none',
  async (t) => {
    const code = (change: Partial<SenderKey>): string =>
      codeOf(() => signSenderKey(root, { ...key, ...change }));
    t.equal(code({ expDay: firstDay }), 'malformed');
    t.equal(code({ expDay: firstDay + limits.senderKeyDays + 1 }), 'malformed');
    t.equal(code({ public: new Uint8Array(32) }), 'not_canonical');
  },
);

t.test('a signature for one of the two is none for the other', async (t) => {
  const fields = chain.slice(senderKeyBytes, -64);
  const crossed = concat(signer.bytes, fields, sign('sender-key', pair, fields));
  t.equal(open(crossed), 'certificate_invalid');
});

t.test('fuzz: whatever is altered in a chain or a key, it is refused', async (t) => {
  const bad = (error: unknown): boolean =>
    error instanceof CryptoFault && error.code === 'certificate_invalid';
  for (let at = 0; at < chain.length; at++) {
    const other = Uint8Array.from(chain);
    other[at] = (other[at] ?? 0) ^ 1;
    t.throws(() => readCertificate(other, root.public), { code: 'certificate_invalid' });
  }
  for (let length = 0; length < chain.length; length++) {
    if (!bad(caught(() => readCertificate(chain.subarray(0, length), root.public))))
      t.fail(`${length}`);
  }
  t.ok(bad(caught(() => readCertificate(concat(chain, Uint8Array.of(0)), root.public))));
  await fuzzDecoder(t, {
    decode: (bytes) => readSenderKey(bytes, root.public),
    samples: [signer.bytes],
    authentic: true,
  });
});

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
