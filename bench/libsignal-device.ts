/**
 * The yardstick: two devices over @signalapp/libsignal-client with in-memory stores that keep records
 * serialised, as its own test stores do. PQXDH with SPQR is what it always uses. Nothing is made
 * durable here.
 */
import { randomUUID } from 'node:crypto';
import {
  type Direction,
  IdentityChange,
  IdentityKeyStore,
  KEMKeyPair,
  KyberPreKeyRecord,
  KyberPreKeyStore,
  PreKeyBundle,
  PreKeyRecord,
  PreKeySignalMessage,
  PreKeyStore,
  PrivateKey,
  ProtocolAddress,
  type PublicKey,
  processPreKeyBundle,
  SenderCertificate,
  ServerCertificate,
  SessionRecord,
  SessionStore,
  SignalMessage,
  SignedPreKeyRecord,
  SignedPreKeyStore,
  sealedSenderEncryptMessage,
  signalDecrypt,
  signalDecryptPreKey,
  signalEncrypt,
} from '@signalapp/libsignal-client';

type Bytes = Uint8Array<ArrayBuffer>;

const keyOf = (name: ProtocolAddress): string => `${name.name()}::${name.deviceId()}`;

function need<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('not in the store');
  return value;
}

class Sessions extends SessionStore {
  #kept = new Map<string, Bytes>();
  async saveSession(name: ProtocolAddress, record: SessionRecord): Promise<void> {
    this.#kept.set(keyOf(name), record.serialize());
  }
  async getSession(name: ProtocolAddress): Promise<SessionRecord | null> {
    const bytes = this.#kept.get(keyOf(name));
    return bytes ? SessionRecord.deserialize(bytes) : null;
  }
  async getExistingSessions(addresses: ProtocolAddress[]): Promise<SessionRecord[]> {
    return addresses.map((name) => SessionRecord.deserialize(need(this.#kept.get(keyOf(name)))));
  }
}

class Identities extends IdentityKeyStore {
  readonly own = PrivateKey.generate();
  #known = new Map<string, PublicKey>();
  async getIdentityKey(): Promise<PrivateKey> {
    return this.own;
  }
  async getLocalRegistrationId(): Promise<number> {
    return 1;
  }
  async saveIdentity(name: ProtocolAddress, key: PublicKey): Promise<IdentityChange> {
    const seen = this.#known.get(keyOf(name));
    this.#known.set(keyOf(name), key);
    return seen && !seen.equals(key)
      ? IdentityChange.ReplacedExisting
      : IdentityChange.NewOrUnchanged;
  }
  async isTrustedIdentity(
    name: ProtocolAddress,
    key: PublicKey,
    _direction: Direction,
  ): Promise<boolean> {
    const seen = this.#known.get(keyOf(name));
    return seen === undefined || seen.equals(key);
  }
  async getIdentity(name: ProtocolAddress): Promise<PublicKey | null> {
    return this.#known.get(keyOf(name)) ?? null;
  }
}

class OneTimes extends PreKeyStore {
  #kept = new Map<number, Bytes>();
  async savePreKey(id: number, record: PreKeyRecord): Promise<void> {
    this.#kept.set(id, record.serialize());
  }
  async getPreKey(id: number): Promise<PreKeyRecord> {
    return PreKeyRecord.deserialize(need(this.#kept.get(id)));
  }
  async removePreKey(id: number): Promise<void> {
    this.#kept.delete(id);
  }
}

class SignedPrekeys extends SignedPreKeyStore {
  #kept = new Map<number, Bytes>();
  async saveSignedPreKey(id: number, record: SignedPreKeyRecord): Promise<void> {
    this.#kept.set(id, record.serialize());
  }
  async getSignedPreKey(id: number): Promise<SignedPreKeyRecord> {
    return SignedPreKeyRecord.deserialize(need(this.#kept.get(id)));
  }
}

class KyberPrekeys extends KyberPreKeyStore {
  #kept = new Map<number, Bytes>();
  async saveKyberPreKey(id: number, record: KyberPreKeyRecord): Promise<void> {
    this.#kept.set(id, record.serialize());
  }
  async getKyberPreKey(id: number): Promise<KyberPreKeyRecord> {
    return KyberPreKeyRecord.deserialize(need(this.#kept.get(id)));
  }
  async markKyberPreKeyUsed(id: number): Promise<void> {
    this.#kept.delete(id);
  }
}

export interface LibsignalMessage {
  readonly first: boolean;
  readonly bytes: Bytes;
}

/** A device that knows its peers by name. */
export class LibsignalDevice {
  readonly address: ProtocolAddress;
  readonly #sessions = new Sessions();
  readonly #identities = new Identities();
  readonly #oneTimes = new OneTimes();
  readonly #signed = new SignedPrekeys();
  readonly #kyber = new KyberPrekeys();
  readonly #signedPrekey = PrivateKey.generate();
  readonly #signature: Bytes;

  constructor(name: string) {
    this.address = ProtocolAddress.new(name, 1);
    const { own } = this.#identities;
    const key = this.#signedPrekey.getPublicKey();
    this.#signature = own.sign(key.serialize());
    void this.#signed.saveSignedPreKey(
      1,
      SignedPreKeyRecord.new(1, 0, key, this.#signedPrekey, this.#signature),
    );
  }

  /** Prekeys for one session: a one-time key of each kind. */
  async bundle(id: number): Promise<PreKeyBundle> {
    const { own } = this.#identities;
    const oneTime = PrivateKey.generate();
    await this.#oneTimes.savePreKey(id, PreKeyRecord.new(id, oneTime.getPublicKey(), oneTime));
    const kem = KEMKeyPair.generate();
    const kemSignature = own.sign(kem.getPublicKey().serialize());
    await this.#kyber.saveKyberPreKey(id, KyberPreKeyRecord.new(id, 0, kem, kemSignature));
    return PreKeyBundle.new(
      1,
      1,
      id,
      oneTime.getPublicKey(),
      1,
      this.#signedPrekey.getPublicKey(),
      this.#signature,
      own.getPublicKey(),
      id,
      kem.getPublicKey(),
      kemSignature,
    );
  }

  async start(peer: ProtocolAddress, bundle: PreKeyBundle): Promise<void> {
    await processPreKeyBundle(bundle, peer, this.address, this.#sessions, this.#identities);
  }

  async encrypt(peer: ProtocolAddress, plaintext: Bytes): Promise<LibsignalMessage> {
    const sealed = await signalEncrypt(
      plaintext,
      peer,
      this.address,
      this.#sessions,
      this.#identities,
    );
    return { first: sealed.type() === 3, bytes: sealed.serialize() };
  }

  /** What this device shows of itself inside a sealed message, signed by a server that nobody needs here. */
  certificate(): SenderCertificate {
    const [root, server] = [PrivateKey.generate(), PrivateKey.generate()];
    const signer = ServerCertificate.new(1, server.getPublicKey(), root);
    const { own } = this.#identities;
    const expires = Date.now() + 86_400_000;
    const who = [randomUUID(), null, 1, own.getPublicKey()] as const;
    return SenderCertificate.new(...who, expires, signer, server);
  }

  /** Encrypts, and hides who did. */
  async seal(
    peer: ProtocolAddress,
    plaintext: Bytes,
    certificate: SenderCertificate,
  ): Promise<Bytes> {
    return await sealedSenderEncryptMessage(
      plaintext,
      peer,
      certificate,
      this.#sessions,
      this.#identities,
    );
  }

  async decrypt(peer: ProtocolAddress, { first, bytes }: LibsignalMessage): Promise<Bytes> {
    if (!first) {
      const message = SignalMessage.deserialize(bytes);
      return await signalDecrypt(message, peer, this.address, this.#sessions, this.#identities);
    }
    return await signalDecryptPreKey(
      PreKeySignalMessage.deserialize(bytes),
      peer,
      this.address,
      this.#sessions,
      this.#identities,
      this.#oneTimes,
      this.#signed,
      this.#kyber,
    );
  }
}
