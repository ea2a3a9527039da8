/**
 * The primitives of PI/1, and with the group of ristretto.ts the only door to libsodium and noble. docs/protocol/ratchet.md §1
 * Checks what the libraries leave open: lengths, canonical encodings, small order, strict Ed25519.
 * A wrong length of a key, nonce or secret is the caller's bug or damage and throws `malformed`.
 */
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import type {
  Aead,
  Backend,
  BulkAead,
  DhPair,
  DsaPair,
  Encapsulated,
  KemPair,
  SigningPair,
} from './backend.ts';
import { nodeBackend } from './backend-node.ts';
import { sodiumBackend } from './backend-sodium.ts';

export type {
  Aead,
  DhPair,
  DsaPair,
  Encapsulated,
  HashStream,
  KemPair,
  SigningPair,
} from './backend.ts';

/** Answers `length` unpredictable bytes; vectors put a deterministic one in its place. */
export type Random = (length: number) => Uint8Array;

const none = new Uint8Array(0);

function want(bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new Fault('malformed');
}

/** Little-endian a < b, for public values. */
function below(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    if (x !== y) return x < y;
  }
  return false;
}

/** p = 2^255 - 19, little-endian. */
const fieldPrime = new Uint8Array(32).fill(0xff);
fieldPrime[0] = 0xed;
fieldPrime[31] = 0x7f;

/** L = 2^252 + 27742317777372353535851937790883648493, little-endian. */
const groupOrder = Uint8Array.from([
  0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
]);

/** y coordinates of the points of order 1, 2, 4 and 8 (canonical, sign bit clear). */
const smallOrderY: readonly Uint8Array[] = [
  Uint8Array.from([1, ...new Array<number>(31).fill(0)]),
  new Uint8Array(32),
  Uint8Array.from([0xec, ...new Array<number>(30).fill(0xff), 0x7f]),
  Uint8Array.from([
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
    0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
  ]),
  Uint8Array.from([
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
    0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
  ]),
];

/** Compares in time that depends on the lengths only. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** An Ed25519 point that PI/1 accepts: y < p and not of small order. */
function strictPoint(encoded: Uint8Array): boolean {
  // Not `slice`: on a Buffer that is a view, and the caller's key would lose its sign bit.
  const y = Uint8Array.from(encoded.subarray(0, 32));
  y[31] = (y[31] ?? 0) & 0x7f;
  return below(y, fieldPrime) && !smallOrderY.some((small) => equal(small, y));
}

function checked(aead: Aead, nonceLength: number) {
  return {
    /** 32-byte key; answers ciphertext ‖ tag 16. */
    seal(
      key: Uint8Array,
      nonce: Uint8Array,
      plaintext: Uint8Array,
      ad: Uint8Array = none,
    ): Uint8Array {
      want(key, 32);
      want(nonce, nonceLength);
      return aead.seal(key, nonce, plaintext, ad);
    },
    /** The plaintext, or `undefined` for anything that does not verify, a short tag included. */
    open(
      key: Uint8Array,
      nonce: Uint8Array,
      sealed: Uint8Array,
      ad: Uint8Array = none,
    ): Uint8Array | undefined {
      want(key, 32);
      want(nonce, nonceLength);
      return aead.open(key, nonce, sealed, ad);
    },
  };
}

function checkedBulk(aead: BulkAead, nonceLength: number) {
  return {
    ...checked(aead, nonceLength),
    /** The same as `seal`, into `into`, which is 16 bytes longer than the plaintext. */
    sealInto(
      key: Uint8Array,
      nonce: Uint8Array,
      plaintext: Uint8Array,
      ad: Uint8Array,
      into: Uint8Array,
    ): void {
      want(key, 32);
      want(nonce, nonceLength);
      want(into, plaintext.length + 16);
      aead.sealInto(key, nonce, plaintext, ad, into);
    },
  };
}

/** The primitives over one back end; tests compare two of them, everything else uses the constants below. */
export function primitivesOver(backend: Backend) {
  const { hmac, randomBytes } = backend;

  /** FIPS 203 §7.2: every 12-bit coefficient of the encapsulation key is below q = 3329. */
  function kemReduced(publicKey: Uint8Array): boolean {
    for (let i = 0; i < 1152; i += 3) {
      const a = publicKey[i] ?? 0;
      const b = publicKey[i + 1] ?? 0;
      const c = publicKey[i + 2] ?? 0;
      if ((a | ((b & 0x0f) << 8)) >= 3329 || ((b >> 4) | (c << 4)) >= 3329) return false;
    }
    return true;
  }

  return {
    backend: backend.name,
    randomBytes: randomBytes as Random,
    sha256: backend.sha256,
    sha256Into: backend.sha256Into,
    sha512: backend.sha512,
    sha256Stream: backend.sha256Stream,
    /** HMAC-SHA-256; any key length. */
    hmac,
    /** HKDF-SHA-256 (RFC 5869), at most 8,160 bytes. An empty salt counts as 32 zero bytes. */
    hkdf(salt: Uint8Array, ikm: Uint8Array, info: string | Uint8Array, length: number): Uint8Array {
      if (length > 255 * 32) throw new Fault('malformed');
      const prk = hmac(salt, ikm);
      const infoBytes = typeof info === 'string' ? utf8Bytes(info) : info;
      const out = new Uint8Array(length);
      const block = new Uint8Array(32 + infoBytes.length + 1);
      block.set(infoBytes, 32);
      for (let i = 1, at = 0; at < length; i++, at += 32) {
        block[block.length - 1] = i;
        const t = hmac(prk, i === 1 ? block.subarray(32) : block);
        block.set(t);
        out.set(length - at < 32 ? t.subarray(0, length - at) : t, at);
      }
      return out;
    },
    /** ChaCha20-Poly1305 (RFC 8439), 12-byte nonce: for keys that are used once. */
    chacha: checked(backend.chacha, 12),
    /** XChaCha20-Poly1305, 24-byte nonce: random nonces are safe. */
    xchacha: checked(backend.xchacha, 24),
    /** AES-256-GCM, 12-byte nonce. */
    aesGcm: checkedBulk(backend.aesGcm, 12),

    x25519: {
      generate(random?: Random): DhPair {
        return random === undefined ? backend.dhGenerate() : backend.dhFromPrivate(random(32));
      },
      fromPrivate(raw32: Uint8Array): DhPair {
        want(raw32, 32);
        return backend.dhFromPrivate(raw32);
      },
      /** A pair as it was stored; the public half is not computed anew. */
      fromStored(publicKey: Uint8Array, privateKey: Uint8Array): DhPair {
        want(publicKey, 32);
        want(privateKey, 32);
        return { public: publicKey, private: privateKey };
      },
      /** u < p with the high bit clear. Does not reject small order: `dh` does. */
      isCanonical(publicKey: Uint8Array): boolean {
        return publicKey.length === 32 && below(publicKey, fieldPrime);
      },
      /** 32 bytes. Throws `not_canonical` for a non-canonical public key and for an all-zero result. */
      dh(pair: DhPair, publicKey: Uint8Array): Uint8Array {
        want(publicKey, 32);
        if (!below(publicKey, fieldPrime)) throw new Fault('not_canonical');
        const secret = backend.dh(pair, publicKey);
        if (secret === undefined) throw new Fault('not_canonical');
        return secret;
      },
    },

    ed25519: {
      generate(random: Random = randomBytes): SigningPair {
        return backend.signingFromSeed(random(32));
      },
      fromSeed(seed32: Uint8Array): SigningPair {
        want(seed32, 32);
        return backend.signingFromSeed(seed32);
      },
      /** 64 bytes, RFC 8032 pure Ed25519. */
      sign(pair: SigningPair, message: Uint8Array): Uint8Array {
        return backend.sign(pair, message);
      },
      /** y < p and not of small order: the keys that `verify` accepts. */
      isCanonical(publicKey: Uint8Array): boolean {
        return publicKey.length === 32 && strictPoint(publicKey);
      },
      /** Strict: S < L, canonical A and R, neither of small order, cofactorless equation. Never throws. */
      verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
        if (publicKey.length !== 32 || signature.length !== 64) return false;
        if (!strictPoint(publicKey) || !strictPoint(signature)) return false;
        if (!below(signature.subarray(32), groupOrder)) return false;
        return backend.verify(publicKey, message, signature);
      },
    },

    mlkem768: {
      generate(random: Random = randomBytes): KemPair {
        return backend.kemFromSeed(random(64));
      },
      fromSeed(seed64: Uint8Array): KemPair {
        want(seed64, 64);
        return backend.kemFromSeed(seed64);
      },
      /** 1,184 bytes with every coefficient reduced. */
      isCanonical(publicKey: Uint8Array): boolean {
        return publicKey.length === 1184 && kemReduced(publicKey);
      },
      /** `publicKey` 1,184 bytes. Throws `not_canonical` if a coefficient is not reduced. */
      encapsulate(publicKey: Uint8Array, random?: Random): Encapsulated {
        want(publicKey, 1184);
        if (!kemReduced(publicKey)) throw new Fault('not_canonical');
        if (random !== undefined) {
          const made = ml_kem768.encapsulate(publicKey, random(32));
          return { ciphertext: made.cipherText, secret: made.sharedSecret };
        }
        const made = backend.encapsulate(publicKey);
        if (made === undefined) throw new Fault('not_canonical');
        return made;
      },
      /** 32 bytes; a ciphertext made for another key gives an unrelated secret (implicit rejection). */
      decapsulate(pair: KemPair, ciphertext: Uint8Array): Uint8Array {
        want(ciphertext, 1088);
        const secret = backend.decapsulate(pair, ciphertext);
        if (secret === undefined) throw new Fault('malformed');
        return secret;
      },
    },

    mldsa44: {
      generate(random: Random = randomBytes): DsaPair {
        return backend.dsaFromSeed(random(32));
      },
      fromSeed(seed32: Uint8Array): DsaPair {
        want(seed32, 32);
        return backend.dsaFromSeed(seed32);
      },
      /** 2,420 bytes, FIPS 204 without context; hedged, so two signatures of one message differ. */
      sign(pair: DsaPair, message: Uint8Array, random?: Random): Uint8Array {
        if (random === undefined) return backend.dsaSign(pair, message);
        const { secretKey } = ml_dsa44.keygen(pair.private);
        return ml_dsa44.sign(message, secretKey, { extraEntropy: random(32) });
      },
      /** As `sign`, in another thread where there is one: it takes half a millisecond. */
      signAside(pair: DsaPair, message: Uint8Array): Promise<Uint8Array> {
        return backend.dsaSignAside(pair, message);
      },
      /** Never throws. */
      verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
        if (publicKey.length !== 1312 || signature.length !== 2420) return false;
        return backend.dsaVerify(publicKey, message, signature);
      },
    },
  };
}

/** Bytes drawn and not yet handed out. */
let pool: Uint8Array = none;

/**
 * Unpredictable bytes that will be public (nonces), at most 4,096. Drawn in larger portions, which is ten
 * times as fast for 24 bytes; secrets never come from here, because a portion lies in memory beforehand.
 */
export function randomNonce(length: number): Uint8Array {
  if (pool.length < length) pool = randomBytes(4096);
  const out = pool.slice(0, length);
  pool = pool.subarray(length);
  return out;
}

export const {
  backend,
  randomBytes,
  sha256,
  sha256Into,
  sha512,
  sha256Stream,
  hmac,
  hkdf,
  chacha,
  xchacha,
  aesGcm,
  x25519,
  ed25519,
  mlkem768,
  mldsa44,
} = primitivesOver(nodeBackend ?? sodiumBackend);

/** SHA-256 over the parts one after the other. */
export const sha256Of = (...parts: readonly Uint8Array[]): Uint8Array => sha256(concat(...parts));
