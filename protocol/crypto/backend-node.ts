/**
 * Primitives over node:crypto where it is there: X25519, Ed25519 signing, ML-KEM and ML-DSA as KeyObjects, which
 * are imported once and kept beside the pair, SHA-256 and AES-256-GCM. HMAC and the ChaCha family stay
 * with libsodium: measured on 160 bytes it is an order of magnitude faster; and so does verifying a
 * signature, because importing the key tips the balance (docs/protocol/ratchet.md §1).
 */
import type { KeyObject } from 'node:crypto';
import { release } from '../wire/release.ts';
import type { Backend, DhPair } from './backend.ts';
import { sodiumBackend } from './backend-sodium.ts';

/** The raw formats of Node 24, which its published types do not know yet. */
interface RawKeys {
  createPrivateKey(key: {
    key: Uint8Array;
    format: 'raw-private' | 'raw-seed';
    asymmetricKeyType: string;
  }): KeyObject;
  createPublicKey(key: string | KeyObject): KeyObject;
  encapsulate(key: string): { sharedKey: Uint8Array; ciphertext: Uint8Array };
  decapsulate(key: KeyObject, ciphertext: Uint8Array): Uint8Array;
}

type NodeCrypto = typeof import('node:crypto');

/** Node's crypto without importing it, so that the same file loads in a browser. */
function nodeCrypto(): NodeCrypto | undefined {
  const host = globalThis.process as { getBuiltinModule?: (name: string) => unknown } | undefined;
  return host?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined;
}

/** A plain view, not a Buffer: a Buffer's `slice` shares memory where an array's copies. */
const plain = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const raw = (key: KeyObject, format: 'raw-public' | 'raw-private'): Uint8Array =>
  plain((key as unknown as { export(o: { format: string }): Uint8Array }).export({ format }));

/** Beginnings of SubjectPublicKeyInfo, before the raw key. RFC 8410, RFC 9935, RFC 9881. */
const x25519Prefix = Uint8Array.of(0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 3, 0x21, 0);
const mlKem768Prefix = Uint8Array.of(
  ...[0x30, 0x82, 0x04, 0xb2, 0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48],
  ...[1, 0x65, 3, 4, 4, 2, 3, 0x82, 0x04, 0xa1, 0],
);
const mlDsa44Prefix = Uint8Array.of(
  ...[0x30, 0x82, 0x05, 0x32, 0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48],
  ...[1, 0x65, 3, 4, 3, 17, 3, 0x82, 0x05, 0x21, 0],
);

/**
 * A public key as text. Node looks whether anything else it is given is a key object by catching two
 * exceptions, which costs more than the import itself; text it takes at once.
 */
function publicPem(prefix: Uint8Array, key: Uint8Array): string {
  const base64 = Buffer.concat([prefix, key]).toString('base64');
  return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----`;
}

/** A shorter tag would be taken unless said. */
const tag16 = { authTagLength: 16 } as const;

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function refused<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function build(crypto: NodeCrypto): Backend {
  const keys = crypto as unknown as RawKeys;
  const privateKeys = new WeakMap<object, KeyObject>();

  function privateKey(
    pair: { readonly private: Uint8Array },
    format: 'raw-private' | 'raw-seed',
    asymmetricKeyType: string,
  ): KeyObject {
    let key = privateKeys.get(pair);
    if (key === undefined) {
      key = keys.createPrivateKey({ key: pair.private, format, asymmetricKeyType });
      privateKeys.set(pair, key);
    }
    return key;
  }

  /**
   * Public keys are imported once per array: the same one serves several DHs of a handshake and both
   * halves of a turn. The copy notices an array that was written to since.
   */
  const publicKeys = new WeakMap<Uint8Array, { key: KeyObject; copy: Uint8Array }>();

  function dhPublic(bytes: Uint8Array): KeyObject {
    const known = publicKeys.get(bytes);
    if (known !== undefined && sameBytes(known.copy, bytes)) return known.key;
    const key = keys.createPublicKey(publicPem(x25519Prefix, bytes));
    publicKeys.set(bytes, { key, copy: new Uint8Array(bytes) });
    return key;
  }

  function fromRaw(
    bytes: Uint8Array,
    format: 'raw-private' | 'raw-seed',
    asymmetricKeyType: string,
  ): DhPair {
    const key = keys.createPrivateKey({ key: bytes, format, asymmetricKeyType });
    const pair = { public: raw(keys.createPublicKey(key), 'raw-public'), private: bytes };
    privateKeys.set(pair, key);
    return pair;
  }

  /** Keys of ciphers, likewise once per array: a file is thousands of chunks under one. */
  const secretKeys = new WeakMap<Uint8Array, { key: KeyObject; copy: Uint8Array }>();

  function secretKey(bytes: Uint8Array): KeyObject {
    const known = secretKeys.get(bytes);
    if (known !== undefined && sameBytes(known.copy, bytes)) return known.key;
    const key = crypto.createSecretKey(bytes);
    secretKeys.set(bytes, { key, copy: new Uint8Array(bytes) });
    return key;
  }

  function sealInto(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    ad: Uint8Array,
    into: Uint8Array,
  ): void {
    const cipher = crypto.createCipheriv('aes-256-gcm', secretKey(key), nonce, tag16);
    cipher.setAAD(ad);
    const head = cipher.update(plaintext);
    into.set(head);
    release(head);
    cipher.final();
    into.set(cipher.getAuthTag(), plaintext.length);
  }

  /** As text: making a Buffer of 32 bytes costs more than twice what hashing 64 does. */
  function sha256Into(bytes: Uint8Array, into: Uint8Array, at: number): void {
    const digest = crypto.hash('sha256', bytes, 'binary');
    for (let i = 0; i < 32; i++) into[at + i] = digest.charCodeAt(i);
  }

  return {
    ...sodiumBackend,
    name: 'node',
    randomBytes: (length) => plain(crypto.randomBytes(length)),
    sha256(bytes) {
      const digest = new Uint8Array(32);
      sha256Into(bytes, digest, 0);
      return digest;
    },
    sha256Into,
    sha512: (bytes) => plain(crypto.hash('sha512', bytes, 'buffer')),
    sha256Stream() {
      const hash = crypto.createHash('sha256');
      return { update: (bytes) => void hash.update(bytes), digest: () => plain(hash.digest()) };
    },
    aesGcm: {
      seal(key, nonce, plaintext, ad) {
        const out = new Uint8Array(plaintext.length + 16);
        sealInto(key, nonce, plaintext, ad, out);
        return out;
      },
      sealInto,
      open(key, nonce, sealed, ad) {
        const end = sealed.length - 16;
        if (end < 0) return undefined;
        const decipher = crypto.createDecipheriv('aes-256-gcm', secretKey(key), nonce, tag16);
        decipher.setAAD(ad);
        decipher.setAuthTag(sealed.subarray(end));
        const head = decipher.update(sealed.subarray(0, end));
        return refused(() => {
          decipher.final();
          return plain(head);
        });
      },
    },
    dhGenerate() {
      const made = crypto.generateKeyPairSync('x25519');
      const pair = {
        public: raw(made.publicKey, 'raw-public'),
        private: raw(made.privateKey, 'raw-private'),
      };
      privateKeys.set(pair, made.privateKey);
      return pair;
    },
    dhFromPrivate: (bytes) => fromRaw(bytes, 'raw-private', 'x25519'),
    dh: (pair, publicKey) =>
      refused(() =>
        plain(
          crypto.diffieHellman({
            privateKey: privateKey(pair, 'raw-private', 'x25519'),
            publicKey: dhPublic(publicKey),
          }),
        ),
      ),
    signingFromSeed: (seed) => fromRaw(seed, 'raw-private', 'ed25519'),
    sign: (pair, message) =>
      plain(crypto.sign(null, message, privateKey(pair, 'raw-private', 'ed25519'))),
    kemFromSeed: (seed) => fromRaw(seed, 'raw-seed', 'ml-kem-768'),
    encapsulate: (publicKey) =>
      refused(() => {
        const made = keys.encapsulate(publicPem(mlKem768Prefix, publicKey));
        return { ciphertext: plain(made.ciphertext), secret: plain(made.sharedKey) };
      }),
    decapsulate: (pair, ciphertext) =>
      refused(() =>
        plain(keys.decapsulate(privateKey(pair, 'raw-seed', 'ml-kem-768'), ciphertext)),
      ),
    dsaFromSeed: (seed) => fromRaw(seed, 'raw-seed', 'ml-dsa-44'),
    dsaSign: (pair, message) =>
      plain(crypto.sign(null, message, privateKey(pair, 'raw-seed', 'ml-dsa-44'))),
    dsaSignAside(pair, message) {
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
      const key = privateKey(pair, 'raw-seed', 'ml-dsa-44');
      crypto.sign(null, message, key, (error, signature) =>
        error === null ? resolve(plain(signature)) : reject(error),
      );
      return promise;
    },
    dsaVerify: (publicKey, message, signature) =>
      refused(() => crypto.verify(null, message, publicPem(mlDsa44Prefix, publicKey), signature)) ??
      false,
  };
}

const crypto = nodeCrypto();

/** Undefined outside Node. */
export const nodeBackend: Backend | undefined =
  crypto && 'encapsulate' in crypto ? build(crypto) : undefined;
