/** What a back end of the primitives offers. docs/protocol/ratchet.md §1 */

/** X25519 key pair. `private` is the raw 32 bytes that are stored; back ends keep an imported handle beside it. */
export interface DhPair {
  readonly public: Uint8Array;
  readonly private: Uint8Array;
}

/** Ed25519 key pair. `private` is the 32-byte seed of RFC 8032. */
export interface SigningPair {
  readonly public: Uint8Array;
  readonly private: Uint8Array;
}

/** ML-KEM-768 key pair. `private` is the 64-byte seed d ‖ z of FIPS 203. */
export interface KemPair {
  readonly public: Uint8Array;
  readonly private: Uint8Array;
}

/** ML-DSA-44 key pair. `private` is the 32-byte seed ξ of FIPS 204. */
export interface DsaPair {
  readonly public: Uint8Array;
  readonly private: Uint8Array;
}

export interface Encapsulated {
  /** 1,088 bytes. */
  readonly ciphertext: Uint8Array;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

/** SHA-256 of what is given one after the other; `digest` once, at the end. */
export interface HashStream {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

/** AEAD with a 16-byte tag after the ciphertext. `open` answers `undefined` for anything that does not verify. */
export interface Aead {
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): Uint8Array;
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    ad: Uint8Array,
  ): Uint8Array | undefined;
}

/** An AEAD for much at a time: nothing is made for each call that the collector would have to take away. */
export interface BulkAead extends Aead {
  /** Puts ciphertext and tag into `into`, which has just the room for them. */
  sealInto(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    ad: Uint8Array,
    into: Uint8Array,
  ): void;
}

/**
 * Inputs have been checked by `primitives.ts`: lengths are right and public keys are canonical.
 * `undefined` means that the operation must be refused.
 */
export interface Backend {
  readonly name: 'node' | 'sodium';
  randomBytes(length: number): Uint8Array;
  sha256(bytes: Uint8Array): Uint8Array;
  /** The same, written into `into` at `at`: for what is public and hashed by the million. */
  sha256Into(bytes: Uint8Array, into: Uint8Array, at: number): void;
  sha512(bytes: Uint8Array): Uint8Array;
  sha256Stream(): HashStream;
  hmac(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  readonly chacha: Aead;
  readonly xchacha: Aead;
  readonly aesGcm: BulkAead;
  dhGenerate(): DhPair;
  dhFromPrivate(raw: Uint8Array): DhPair;
  dh(pair: DhPair, publicKey: Uint8Array): Uint8Array | undefined;
  signingFromSeed(seed: Uint8Array): SigningPair;
  sign(pair: SigningPair, message: Uint8Array): Uint8Array;
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  kemFromSeed(seed: Uint8Array): KemPair;
  encapsulate(publicKey: Uint8Array): Encapsulated | undefined;
  decapsulate(pair: KemPair, ciphertext: Uint8Array): Uint8Array | undefined;
  dsaFromSeed(seed: Uint8Array): DsaPair;
  dsaSign(pair: DsaPair, message: Uint8Array): Uint8Array;
  /** The same in another thread, where there is one. */
  dsaSignAside(pair: DsaPair, message: Uint8Array): Promise<Uint8Array>;
  dsaVerify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}
