/** The primitives: published vectors against both back ends, back ends against each other and noble. */
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { ed25519 as nobleEd, x25519 as nobleX } from '@noble/curves/ed25519.js';
import { hmac as nobleHmac } from '@noble/hashes/hmac.js';
import { sha256 as nobleSha, sha512 as nobleSha512 } from '@noble/hashes/sha2.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import fc from 'fast-check';
import t from 'tap';
import { concat } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { hex } from '../wire/text.ts';
import { nodeBackend } from './backend-node.ts';
import { sodiumBackend } from './backend-sodium.ts';
import { equal, primitivesOver } from './primitives.ts';
import { type Case, wycheproof } from './testing/wycheproof.ts';

if (nodeBackend === undefined) throw new Error('these tests need node:crypto');
const sets = [primitivesOver(nodeBackend), primitivesOver(sodiumBackend)];
const [node, sodium] = sets as [(typeof sets)[0], (typeof sets)[0]];

const code = (work: () => unknown): string => {
  try {
    work();
    return 'none';
  } catch (error) {
    return error instanceof Fault ? error.code : String(error);
  }
};

const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && equal(a, b);

/** Runs every case over both back ends; `check` answers whether the outcome is the wanted one. */
function vectors(file: string, check: (set: typeof node, test: Case) => boolean): void {
  t.test(`M1 ${file}: both back ends give every published result`, (t) => {
    const cases = wycheproof(file);
    if (cases === undefined) {
      t.comment('the Wycheproof vectors are not beside the repository; skipped');
      t.end();
      return;
    }
    for (const set of sets) {
      const wrong = cases.filter((test) => !check(set, test)).map(({ id }) => id);
      t.strictSame(wrong, [], `${cases.length} cases over ${set.backend}`);
    }
    t.end();
  });
}

vectors('x25519_test.json', (set, test) => {
  const publicKey = test.bytes('public');
  const pair = set.x25519.fromPrivate(test.bytes('private'));
  const refuse = test.flags.includes('ZeroSharedSecret') || !set.x25519.isCanonical(publicKey);
  if (refuse) return code(() => set.x25519.dh(pair, publicKey)) === 'not_canonical';
  return same(set.x25519.dh(pair, publicKey), test.bytes('shared'));
});

vectors('ed25519_test.json', (set, test) => {
  const key = test.bytes('publicKeyHex');
  return (
    set.ed25519.verify(key, test.bytes('msg'), test.bytes('sig')) === (test.result === 'valid')
  );
});

vectors('aes_gcm_test.json', (set, test) => {
  if (test.number('keySize') !== 256 || test.number('ivSize') !== 96) return true;
  return aead(set.aesGcm, test);
});

vectors('xchacha20_poly1305_test.json', (set, test) => {
  if (test.number('ivSize') !== 192) {
    return (
      code(() => set.xchacha.seal(test.bytes('key'), test.bytes('iv'), test.bytes('msg'))) ===
      'malformed'
    );
  }
  return aead(set.xchacha, test);
});

function aead(cipher: (typeof node)['chacha'], test: Case): boolean {
  const [key, iv, ad, plaintext] = [
    test.bytes('key'),
    test.bytes('iv'),
    test.bytes('aad'),
    test.bytes('msg'),
  ];
  const sealed = concat(test.bytes('ct'), test.bytes('tag'));
  const opened = cipher.open(key, iv, sealed, ad);
  if (test.result !== 'valid') return opened === undefined;
  return same(opened, plaintext) && equal(cipher.seal(key, iv, plaintext, ad), sealed);
}

vectors('hmac_sha256_test.json', (set, test) => {
  const tag = set
    .hmac(test.bytes('key'), test.bytes('msg'))
    .subarray(0, test.number('tagSize') / 8);
  return equal(tag, test.bytes('tag')) === (test.result === 'valid');
});

vectors('hkdf_sha256_test.json', (set, test) => {
  const derive = () =>
    set.hkdf(test.bytes('salt'), test.bytes('ikm'), test.bytes('info'), test.number('size'));
  return test.result === 'valid'
    ? equal(derive(), test.bytes('okm'))
    : code(derive) === 'malformed';
});

vectors('mlkem_768_test.json', (set, test) => {
  const seed = test.bytes('seed');
  const ciphertext = test.bytes('c');
  if (seed.length !== 64) return code(() => set.mlkem768.fromSeed(seed)) === 'malformed';
  const pair = set.mlkem768.fromSeed(seed);
  if (test.has('ek') && test.result === 'valid' && !equal(pair.public, test.bytes('ek')))
    return false;
  if (ciphertext.length !== 1088)
    return code(() => set.mlkem768.decapsulate(pair, ciphertext)) === 'malformed';
  return (
    equal(set.mlkem768.decapsulate(pair, ciphertext), test.bytes('K')) === (test.result === 'valid')
  );
});

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const runs = { numRuns: 60 };

t.test('M1 both back ends and noble agree on random input', (t) => {
  fc.assert(
    fc.property(
      bytes(32),
      bytes(32),
      bytes(24),
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 200 }),
      (key, raw, nonce, message, ad) => {
        const short = nonce.subarray(0, 12);
        for (const set of sets) {
          t.ok(equal(set.sha256(message), nobleSha(message)));
          t.ok(equal(set.hmac(ad, message), nobleHmac(nobleSha, ad, message)));
          t.ok(
            equal(
              set.chacha.seal(key, short, message, ad),
              chacha20poly1305(key, short, ad).encrypt(message),
            ),
          );
          t.ok(
            equal(
              set.xchacha.seal(key, nonce, message, ad),
              xchacha20poly1305(key, nonce, ad).encrypt(message),
            ),
          );
          t.ok(
            equal(
              set.aesGcm.seal(key, short, message, ad),
              node.aesGcm.seal(key, short, message, ad),
            ),
          );
          const into = new Uint8Array(message.length + 16);
          set.aesGcm.sealInto(key, short, message, ad, into);
          t.ok(equal(into, set.aesGcm.seal(key, short, message, ad)));
          const pair = set.x25519.fromPrivate(raw);
          t.ok(equal(pair.public, nobleX.getPublicKey(raw)));
          const other = nobleX.getPublicKey(key);
          t.ok(equal(set.x25519.dh(pair, other), nobleX.getSharedSecret(raw, other)));
          const signer = set.ed25519.fromSeed(raw);
          t.ok(equal(set.ed25519.sign(signer, message), nobleEd.sign(message, raw)));
        }
      },
    ),
    { numRuns: 25 },
  );
  t.end();
});

t.test('K1: ML-DSA-44 agrees across back ends and noble, in both directions', async (t) => {
  const seed = sodium.randomBytes(32);
  const noble = ml_dsa44.keygen(seed);
  const message = sodium.randomBytes(300);
  for (const set of sets) {
    const pair = set.mldsa44.fromSeed(seed);
    t.ok(equal(pair.public, noble.publicKey), set.backend);
    const stored = { public: pair.public, private: seed };
    const fixed = set.mldsa44.sign(pair, message, (length) => new Uint8Array(length));
    for (const made of [
      set.mldsa44.sign(pair, message),
      set.mldsa44.sign(stored, message),
      await set.mldsa44.signAside(pair, message),
      await set.mldsa44.signAside(stored, message),
      fixed,
    ]) {
      t.ok(ml_dsa44.verify(made, message, noble.publicKey));
      for (const other of sets) {
        t.ok(other.mldsa44.verify(pair.public, message, made));
        t.notOk(other.mldsa44.verify(pair.public, message.subarray(1), made));
        t.notOk(other.mldsa44.verify(pair.public, message, made.subarray(1)));
        t.notOk(other.mldsa44.verify(pair.public.subarray(1), message, made));
        t.notOk(other.mldsa44.verify(noble.publicKey.toReversed(), message, made));
      }
    }
    t.ok(equal(fixed, ml_dsa44.sign(message, noble.secretKey, { extraEntropy: false })));
    t.equal(
      code(() => set.mldsa44.fromSeed(seed.subarray(1))),
      'malformed',
    );
  }
});

t.test('M1 ML-KEM agrees across back ends and noble, in both directions', (t) => {
  const seed = node.randomBytes(64);
  const pairs = sets.map((set) => set.mlkem768.fromSeed(seed));
  const noble = ml_kem768.keygen(seed);
  for (const pair of pairs) t.ok(equal(pair.public, noble.publicKey));
  for (const [i, set] of sets.entries()) {
    const made = set.mlkem768.encapsulate(noble.publicKey);
    t.ok(equal(ml_kem768.decapsulate(made.ciphertext, noble.secretKey), made.secret));
    const fixed = set.mlkem768.encapsulate(noble.publicKey, () => seed.subarray(0, 32));
    const other = sets[1 - i]?.mlkem768;
    const pair = other?.fromSeed(seed);
    t.ok(other && pair && equal(other.decapsulate(pair, fixed.ciphertext), fixed.secret));
  }
  t.end();
});

t.test(
  'messages larger than the scratch area of the WebAssembly back end are sealed alike',
  (t) => {
    const [key, nonce] = [node.randomBytes(32), node.randomBytes(24)];
    for (const length of [65_535, 65_536, 65_537, 200_000]) {
      const message = new Uint8Array(length).fill(7);
      for (const ad of [new Uint8Array(0), new Uint8Array(5000)]) {
        const sealed = sodium.xchacha.seal(key, nonce, message, ad);
        t.ok(equal(sealed, xchacha20poly1305(key, nonce, ad).encrypt(message)));
        t.ok(same(sodium.xchacha.open(key, nonce, sealed, ad), message));
        sealed[3] = (sealed[3] ?? 0) ^ 1;
        t.equal(sodium.xchacha.open(key, nonce, sealed, ad), undefined);
      }
      t.ok(equal(sodium.hmac(key, message), nobleHmac(nobleSha, key, message)));
    }
    t.end();
  },
);

t.test('M1 pitfall: all-zero/non-canonical/twist points', (t) => {
  const p = 2n ** 255n - 19n;
  const encode = (u: bigint) =>
    Uint8Array.from({ length: 32 }, (_, i) => Number((u >> BigInt(8 * i)) & 255n));
  const smallOrder = [
    0n,
    1n,
    p - 1n,
    325606250916557431795983626356110631294008115727848805560023387167927233504n,
    39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  ];
  for (const set of sets) {
    const pair = set.x25519.generate();
    for (const u of smallOrder)
      t.equal(
        code(() => set.x25519.dh(pair, encode(u))),
        'not_canonical',
      );
    for (let u = p; u < 2n ** 255n; u++)
      t.equal(
        code(() => set.x25519.dh(pair, encode(u))),
        'not_canonical',
      );
    t.equal(
      code(() => set.x25519.dh(pair, encode(9n + 2n ** 255n))),
      'not_canonical',
      'high bit',
    );
    // u = 2 lies on the twist: RFC 7748 defines the result, and the curve is safe there.
    t.ok(equal(set.x25519.dh(pair, encode(2n)), nobleX.getSharedSecret(pair.private, encode(2n))));
    t.equal(
      code(() => set.x25519.dh(pair, new Uint8Array(31))),
      'malformed',
    );
  }
  t.end();
});

t.test(
  'M1 pitfall: ZIP-215 default: a small-order key with an identity signature is refused',
  (t) => {
    const identity = new Uint8Array(32);
    identity[0] = 1;
    const forged = concat(identity, new Uint8Array(32));
    const message = Uint8Array.of(1, 2, 3);
    t.ok(nobleEd.verify(forged, message, identity), 'what a lenient verifier says');
    for (const set of sets) {
      t.notOk(set.ed25519.verify(identity, message, forged));
      const pair = set.ed25519.generate();
      const signature = set.ed25519.sign(pair, message);
      const order = 2n ** 252n + 27742317777372353535851937790883648493n;
      let s = order;
      for (let i = 0; i < 32; i++) s += BigInt(signature[32 + i] ?? 0) << BigInt(8 * i);
      const malleable = signature.slice();
      for (let i = 0; i < 32; i++) malleable[32 + i] = Number((s >> BigInt(8 * i)) & 255n);
      t.ok(set.ed25519.verify(pair.public, message, signature));
      t.notOk(set.ed25519.verify(pair.public, message, malleable), 'S + L');
      t.notOk(set.ed25519.verify(pair.public, message, signature.subarray(0, 63)));
    }
    t.end();
  },
);

t.test('M1 pitfall: short GCM tag, and short tags of the other ciphers', (t) => {
  for (const set of sets) {
    const key = set.randomBytes(32);
    const message = set.randomBytes(40);
    for (const cipher of [set.aesGcm, set.chacha, set.xchacha]) {
      const nonce = set.randomBytes(cipher === set.xchacha ? 24 : 12);
      const sealed = cipher.seal(key, nonce, message);
      t.ok(same(cipher.open(key, nonce, sealed), message));
      for (const cut of [1, 4, 12, 15, 16, 30, sealed.length]) {
        t.equal(cipher.open(key, nonce, sealed.subarray(0, sealed.length - cut)), undefined);
      }
    }
  }
  t.end();
});

t.test(
  'M1 pitfall: HMAC salt length: short, empty and long keys are taken as RFC 2104 says',
  (t) => {
    for (const set of sets) {
      const message = set.randomBytes(20);
      for (const length of [0, 1, 12, 31, 32, 33, 63, 64, 65, 200]) {
        const key = set.randomBytes(length);
        t.ok(equal(set.hmac(key, message), nobleHmac(nobleSha, key, message)), `${length} bytes`);
      }
      t.ok(
        equal(
          set.hkdf(new Uint8Array(0), message, 'x', 40),
          set.hkdf(new Uint8Array(32), message, 'x', 40),
        ),
      );
    }
    t.end();
  },
);

t.test(
  'M1 pitfall: KEM pk confusion: a key with a coefficient that is not reduced is refused',
  (t) => {
    for (const set of sets) {
      const { public: key } = set.mlkem768.generate();
      const bad = Uint8Array.from(key);
      bad[0] = 0xff;
      bad[1] = (bad[1] ?? 0) | 0x0f;
      t.equal(
        code(() => set.mlkem768.encapsulate(bad)),
        'not_canonical',
      );
      t.equal(
        code(() => set.mlkem768.encapsulate(key.subarray(1))),
        'malformed',
      );
    }
    t.end();
  },
);

t.test('pairs restored from storage work like those made, and inputs are never changed', (t) => {
  fc.assert(
    fc.property(bytes(32), bytes(32), (a, b) => {
      for (const set of sets) {
        const before = hex(a) + hex(b);
        const pair = set.x25519.fromPrivate(Buffer.from(a));
        const stored = set.x25519.fromStored(pair.public, Buffer.from(a));
        const other = set.x25519.fromPrivate(b);
        if (!equal(set.x25519.dh(stored, other.public), set.x25519.dh(other, pair.public)))
          return false;
        const signer = set.ed25519.fromSeed(Buffer.from(a));
        if (!set.ed25519.verify(Buffer.from(signer.public), b, set.ed25519.sign(signer, b)))
          return false;
        if (hex(a) + hex(b) !== before) return false;
      }
      return true;
    }),
    runs,
  );
  t.pass();
  t.end();
});

t.test('SHA-512, and SHA-256 of a stream in any pieces, are those of noble', (t) => {
  for (const set of sets) {
    const any = fc.uint8Array({ maxLength: 600 });
    const property = fc.property(any, fc.nat(600), (bytes, cut) => {
      const hash = set.sha256Stream();
      hash.update(bytes.subarray(0, cut));
      hash.update(bytes.subarray(cut));
      return same(hash.digest(), nobleSha(bytes)) && same(set.sha512(bytes), nobleSha512(bytes));
    });
    fc.assert(property);
  }
  t.pass();
  t.end();
});
