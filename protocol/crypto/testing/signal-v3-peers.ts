/**
 * Independent implementations of Signal's protocol version 3, each as a `V3Peer`: Signal's own Rust
 * library at its last version that speaks it (libsignal-v3), and Privacy Research's in TypeScript.
 */
import {
  KeyHelper,
  type KeyPairType,
  SessionBuilder,
  SessionCipher,
  SignalProtocolAddress,
  type StorageType,
  type Direction as V3Direction,
} from '@privacyresearch/libsignal-protocol-typescript';
import * as libsignal from 'libsignal-v3';
import type { V3Peer, V3Sign } from './signal-v3.ts';

const plain = (buffer: Buffer): Uint8Array => new Uint8Array(buffer);

/** XEdDSA by libsignal. */
export const xeddsa: V3Sign = (identityPrivate, message) =>
  plain(libsignal.PrivateKey.deserialize(Buffer.from(identityPrivate)).sign(Buffer.from(message)));

class Sessions extends libsignal.SessionStore {
  #kept = new Map<string, libsignal.SessionRecord>();
  async saveSession(
    name: libsignal.ProtocolAddress,
    record: libsignal.SessionRecord,
  ): Promise<void> {
    this.#kept.set(name.name(), record);
  }
  async getSession(name: libsignal.ProtocolAddress): Promise<libsignal.SessionRecord | null> {
    return this.#kept.get(name.name()) ?? null;
  }
  async getExistingSessions(): Promise<libsignal.SessionRecord[]> {
    return [...this.#kept.values()];
  }
}

class Identities extends libsignal.IdentityKeyStore {
  readonly own = libsignal.PrivateKey.generate();
  #known: libsignal.PublicKey | null = null;
  async getIdentityKey(): Promise<libsignal.PrivateKey> {
    return this.own;
  }
  async getLocalRegistrationId(): Promise<number> {
    return 12;
  }
  async saveIdentity(_name: libsignal.ProtocolAddress, key: libsignal.PublicKey): Promise<boolean> {
    this.#known = key;
    return false;
  }
  async isTrustedIdentity(): Promise<boolean> {
    return true;
  }
  async getIdentity(): Promise<libsignal.PublicKey | null> {
    return this.#known;
  }
}

class OneTimes extends libsignal.PreKeyStore {
  #kept = new Map<number, libsignal.PreKeyRecord>();
  async savePreKey(id: number, record: libsignal.PreKeyRecord): Promise<void> {
    this.#kept.set(id, record);
  }
  async getPreKey(id: number): Promise<libsignal.PreKeyRecord> {
    const record = this.#kept.get(id);
    if (record === undefined) throw new Error('no such prekey');
    return record;
  }
  async removePreKey(id: number): Promise<void> {
    this.#kept.delete(id);
  }
}

class SignedPrekeys extends libsignal.SignedPreKeyStore {
  #kept = new Map<number, libsignal.SignedPreKeyRecord>();
  async saveSignedPreKey(id: number, record: libsignal.SignedPreKeyRecord): Promise<void> {
    this.#kept.set(id, record);
  }
  async getSignedPreKey(id: number): Promise<libsignal.SignedPreKeyRecord> {
    const record = this.#kept.get(id);
    if (record === undefined) throw new Error('no such signed prekey');
    return record;
  }
}

export function libsignalPeer(): V3Peer {
  const address = libsignal.ProtocolAddress.new('peer', 1);
  const sessions = new Sessions();
  const identities = new Identities();
  const oneTimes = new OneTimes();
  const signedPrekeys = new SignedPrekeys();
  const key = (bytes: Uint8Array) => libsignal.PublicKey.deserialize(Buffer.from(bytes));
  return {
    name: 'libsignal 0.22.0',
    async bundle(oneTime) {
      const signed = libsignal.PrivateKey.generate();
      const signature = identities.own.sign(signed.getPublicKey().serialize());
      const record = libsignal.SignedPreKeyRecord.new(
        5,
        0,
        signed.getPublicKey(),
        signed,
        signature,
      );
      await signedPrekeys.saveSignedPreKey(5, record);
      const once = libsignal.PrivateKey.generate();
      await oneTimes.savePreKey(6, libsignal.PreKeyRecord.new(6, once.getPublicKey(), once));
      return {
        identity: plain(identities.own.getPublicKey().serialize()),
        registration: 12,
        signed: {
          id: 5,
          public: plain(signed.getPublicKey().serialize()),
          signature: plain(signature),
        },
        oneTime: oneTime ? { id: 6, public: plain(once.getPublicKey().serialize()) } : undefined,
      };
    },
    async start({ identity, registration, signed, oneTime }) {
      const bundle = libsignal.PreKeyBundle.new(
        registration,
        1,
        oneTime?.id ?? null,
        oneTime ? key(oneTime.public) : null,
        signed.id,
        key(signed.public),
        Buffer.from(signed.signature),
        key(identity),
      );
      await libsignal.processPreKeyBundle(bundle, address, sessions, identities);
    },
    async encrypt(plaintext) {
      const sealed = await libsignal.signalEncrypt(
        Buffer.from(plaintext),
        address,
        sessions,
        identities,
      );
      return { first: sealed.type() === 3, bytes: plain(sealed.serialize()) };
    },
    async decrypt({ first, bytes }) {
      const buffer = Buffer.from(bytes);
      if (first) {
        const message = libsignal.PreKeySignalMessage.deserialize(buffer);
        return plain(
          await libsignal.signalDecryptPreKey(
            message,
            address,
            sessions,
            identities,
            oneTimes,
            signedPrekeys,
          ),
        );
      }
      return plain(
        await libsignal.signalDecrypt(
          libsignal.SignalMessage.deserialize(buffer),
          address,
          sessions,
          identities,
        ),
      );
    },
  };
}

const whole = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

function memoryStorage(identity: KeyPairType): StorageType {
  const oneTimes = new Map<string, KeyPairType>();
  const signed = new Map<string, KeyPairType>();
  const sessions = new Map<string, string>();
  return {
    getIdentityKeyPair: async () => identity,
    getLocalRegistrationId: async () => 13,
    isTrustedIdentity: async (_name: string, _key: ArrayBuffer, _direction: V3Direction) => true,
    saveIdentity: async () => false,
    loadPreKey: async (id) => oneTimes.get(String(id)),
    storePreKey: async (id, pair) => void oneTimes.set(String(id), pair),
    removePreKey: async (id) => void oneTimes.delete(String(id)),
    storeSession: async (address, record) => void sessions.set(address, record),
    loadSession: async (address) => sessions.get(address),
    loadSignedPreKey: async (id) => signed.get(String(id)),
    storeSignedPreKey: async (id, pair) => void signed.set(String(id), pair),
    removeSignedPreKey: async (id) => void signed.delete(String(id)),
  };
}

export async function privacyResearchPeer(): Promise<V3Peer> {
  const identity = await KeyHelper.generateIdentityKeyPair();
  const storage = memoryStorage(identity);
  const address = new SignalProtocolAddress('peer', 1);
  const cipher = new SessionCipher(storage, address);
  return {
    name: 'Privacy Research 0.0.16',
    async bundle(oneTime) {
      const signed = await KeyHelper.generateSignedPreKey(identity, 8);
      await storage.storeSignedPreKey(8, signed.keyPair);
      const once = await KeyHelper.generatePreKey(9);
      await storage.storePreKey(9, once.keyPair);
      return {
        identity: new Uint8Array(identity.pubKey),
        registration: 13,
        signed: {
          id: 8,
          public: new Uint8Array(signed.keyPair.pubKey),
          signature: new Uint8Array(signed.signature),
        },
        oneTime: oneTime ? { id: 9, public: new Uint8Array(once.keyPair.pubKey) } : undefined,
      };
    },
    async start({ identity: theirs, registration, signed, oneTime }) {
      const device = {
        identityKey: whole(theirs),
        registrationId: registration,
        signedPreKey: {
          keyId: signed.id,
          publicKey: whole(signed.public),
          signature: whole(signed.signature),
        },
      };
      const preKey = oneTime && { keyId: oneTime.id, publicKey: whole(oneTime.public) };
      await new SessionBuilder(storage, address).processPreKey(
        preKey ? { ...device, preKey } : device,
      );
    },
    async encrypt(plaintext) {
      const { type, body } = await cipher.encrypt(whole(plaintext));
      return { first: type === 3, bytes: new Uint8Array(Buffer.from(body ?? '', 'binary')) };
    },
    async decrypt({ first, bytes }) {
      const opened = first
        ? await cipher.decryptPreKeyWhisperMessage(whole(bytes))
        : await cipher.decryptWhisperMessage(whole(bytes));
      return new Uint8Array(opened);
    },
  };
}
