/**
 * Primitives over libsodium (WebAssembly): everything in a browser, the small symmetric ones in
 * Node as well, where setting up an OpenSSL context costs more than the work. AES-256-GCM is not
 * in the WebAssembly build and comes from noble, as do ML-DSA and SHA-256 of a stream: its states there would never be freed.
 */
import { gcm } from '@noble/ciphers/aes.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import sodium from 'libsodium-wrappers-sumo';
import type { Aead, Backend } from './backend.ts';

/** The functions below the wrapper, which take addresses in the module's memory; lengths are 64-bit as low, high. */
interface Wasm {
  HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _crypto_auth_hmacsha256_init(state: number, key: number, keyLength: number): number;
  _crypto_auth_hmacsha256_update(state: number, at: number, low: number, high: number): number;
  _crypto_auth_hmacsha256_final(state: number, out: number): number;
  _crypto_aead_chacha20poly1305_ietf_encrypt: SealCall;
  _crypto_aead_chacha20poly1305_ietf_decrypt: OpenCall;
  _crypto_aead_xchacha20poly1305_ietf_encrypt: SealCall;
  _crypto_aead_xchacha20poly1305_ietf_decrypt: OpenCall;
}
/** out, outLength*, in, in length (low, high), ad, ad length (low, high), secret nonce (unused), nonce, key. */
type SealCall = (...addresses: number[]) => number;
/** out, outLength*, secret nonce (unused), in, in length (low, high), ad, ad length (low, high), nonce, key. */
type OpenCall = (...addresses: number[]) => number;

await sodium.ready;
const wasm = (sodium as unknown as { libsodium: Wasm }).libsodium;

/**
 * One scratch area, used only within a synchronous call and wiped of keys and plaintext by the next
 * one: key 64 ‖ nonce 32 ‖ hmac state 512 ‖ digest 64 ‖ ad ‖ input ‖ output. Larger inputs go through the wrapper.
 */
const adMax = 4096;
const inputMax = 65_536;
const at = wasm._malloc(64 + 32 + 512 + 64 + adMax + 2 * (inputMax + 16));
const keyAt = at;
const nonceAt = keyAt + 64;
const stateAt = nonceAt + 32;
const digestAt = stateAt + 512;
const adAt = digestAt + 64;
const inputAt = adAt + adMax;
const outputAt = inputAt + inputMax + 16;

function aead(
  sealCall: SealCall,
  openCall: OpenCall,
  large: { seal: Aead['seal']; open: (...args: Parameters<Aead['open']>) => Uint8Array },
): Aead {
  return {
    seal(key, nonce, plaintext, ad) {
      if (plaintext.length > inputMax || ad.length > adMax)
        return large.seal(key, nonce, plaintext, ad);
      const heap = wasm.HEAPU8;
      heap.set(key, keyAt);
      heap.set(nonce, nonceAt);
      heap.set(ad, adAt);
      heap.set(plaintext, inputAt);
      sealCall(outputAt, 0, inputAt, plaintext.length, 0, adAt, ad.length, 0, 0, nonceAt, keyAt);
      return heap.slice(outputAt, outputAt + plaintext.length + 16);
    },
    open(key, nonce, sealed, ad) {
      if (sealed.length < 16) return undefined;
      if (sealed.length > inputMax || ad.length > adMax) {
        try {
          return large.open(key, nonce, sealed, ad);
        } catch {
          // libsodium.js reports a failed tag by throwing.
          return undefined;
        }
      }
      const heap = wasm.HEAPU8;
      heap.set(key, keyAt);
      heap.set(nonce, nonceAt);
      heap.set(ad, adAt);
      heap.set(sealed, inputAt);
      const failed = openCall(
        outputAt,
        0,
        0,
        inputAt,
        sealed.length,
        0,
        adAt,
        ad.length,
        0,
        nonceAt,
        keyAt,
      );
      return failed === 0 ? heap.slice(outputAt, outputAt + sealed.length - 16) : undefined;
    },
  };
}

function hmac(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const long = key.length > 64;
  if (long || bytes.length > inputMax) {
    const state = sodium.crypto_auth_hmacsha256_init(long ? sodium.crypto_hash_sha256(key) : key);
    sodium.crypto_auth_hmacsha256_update(state, bytes);
    return sodium.crypto_auth_hmacsha256_final(state);
  }
  const heap = wasm.HEAPU8;
  heap.set(key, keyAt);
  heap.set(bytes, inputAt);
  wasm._crypto_auth_hmacsha256_init(stateAt, keyAt, key.length);
  wasm._crypto_auth_hmacsha256_update(stateAt, inputAt, bytes.length, 0);
  wasm._crypto_auth_hmacsha256_final(stateAt, digestAt);
  return heap.slice(digestAt, digestAt + 32);
}

/** A refusal of libsodium is an exception; here it is `undefined`. */
function refused<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

const kemSecrets = new WeakMap<object, Uint8Array>();
const dsaSecrets = new WeakMap<object, Uint8Array>();
const signingSecrets = new WeakMap<object, Uint8Array>();

function signingSecret(seed: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const secret = new Uint8Array(64);
  secret.set(seed);
  secret.set(publicKey, 32);
  return secret;
}

export const sodiumBackend: Backend = {
  name: 'sodium',
  randomBytes: (length) => sodium.randombytes_buf(length),
  sha256: (bytes) => sodium.crypto_hash_sha256(bytes),
  sha256Into: (bytes, into, at) => into.set(sodium.crypto_hash_sha256(bytes), at),
  sha512: (bytes) => sodium.crypto_hash_sha512(bytes),
  sha256Stream() {
    const hash = nobleSha256.create();
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
  },
  hmac,
  chacha: aead(
    wasm._crypto_aead_chacha20poly1305_ietf_encrypt,
    wasm._crypto_aead_chacha20poly1305_ietf_decrypt,
    {
      seal: (key, nonce, plaintext, ad) =>
        sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, ad, null, nonce, key),
      open: (key, nonce, sealed, ad) =>
        sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, sealed, ad, nonce, key),
    },
  ),
  xchacha: aead(
    wasm._crypto_aead_xchacha20poly1305_ietf_encrypt,
    wasm._crypto_aead_xchacha20poly1305_ietf_decrypt,
    {
      seal: (key, nonce, plaintext, ad) =>
        sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, ad, null, nonce, key),
      open: (key, nonce, sealed, ad) =>
        sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, ad, nonce, key),
    },
  ),
  aesGcm: {
    seal: (key, nonce, plaintext, ad) => gcm(key, nonce, ad).encrypt(plaintext),
    sealInto: (key, nonce, plaintext, ad, into) => into.set(gcm(key, nonce, ad).encrypt(plaintext)),
    open: (key, nonce, sealed, ad) =>
      sealed.length < 16 ? undefined : refused(() => gcm(key, nonce, ad).decrypt(sealed)),
  },
  dhGenerate() {
    const raw = sodium.randombytes_buf(32);
    return { public: sodium.crypto_scalarmult_base(raw), private: raw };
  },
  dhFromPrivate: (raw) => ({ public: sodium.crypto_scalarmult_base(raw), private: raw }),
  dh: (pair, publicKey) => refused(() => sodium.crypto_scalarmult(pair.private, publicKey)),
  signingFromSeed(seed) {
    const made = sodium.crypto_sign_seed_keypair(seed);
    const pair = { public: made.publicKey, private: seed };
    signingSecrets.set(pair, made.privateKey);
    return pair;
  },
  sign(pair, message) {
    let secret = signingSecrets.get(pair);
    if (secret === undefined) {
      secret = signingSecret(pair.private, pair.public);
      signingSecrets.set(pair, secret);
    }
    return sodium.crypto_sign_detached(message, secret);
  },
  verify: (publicKey, message, signature) =>
    refused(() => sodium.crypto_sign_verify_detached(signature, message, publicKey)) ?? false,
  kemFromSeed(seed) {
    const made = sodium.crypto_kem_mlkem768_seed_keypair(seed);
    const pair = { public: made.publicKey, private: seed };
    kemSecrets.set(pair, made.privateKey);
    return pair;
  },
  encapsulate(publicKey) {
    const made = refused(() => sodium.crypto_kem_mlkem768_enc(publicKey));
    return made && { ciphertext: made.ciphertext, secret: made.sharedSecret };
  },
  decapsulate(pair, ciphertext) {
    let secret = kemSecrets.get(pair);
    if (secret === undefined) {
      secret = sodium.crypto_kem_mlkem768_seed_keypair(pair.private).privateKey;
      kemSecrets.set(pair, secret);
    }
    const key = secret;
    return refused(() => sodium.crypto_kem_mlkem768_dec(ciphertext, key));
  },
  dsaFromSeed(seed) {
    const made = ml_dsa44.keygen(seed);
    const pair = { public: made.publicKey, private: seed };
    dsaSecrets.set(pair, made.secretKey);
    return pair;
  },
  dsaSign(pair, message) {
    let secret = dsaSecrets.get(pair);
    if (secret === undefined) {
      secret = ml_dsa44.keygen(pair.private).secretKey;
      dsaSecrets.set(pair, secret);
    }
    return ml_dsa44.sign(message, secret);
  },
  async dsaSignAside(pair, message) {
    return sodiumBackend.dsaSign(pair, message);
  },
  dsaVerify: (publicKey, message, signature) =>
    refused(() => ml_dsa44.verify(signature, message, publicKey)) ?? false,
};
