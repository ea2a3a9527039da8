/**
 * For tests and benchmarks: sender keys of Signal's own library, over stores in memory that keep records
 * serialised as its own test stores do.
 */
import {
  groupDecrypt,
  groupEncrypt,
  ProtocolAddress,
  processSenderKeyDistributionMessage,
  SenderKeyDistributionMessage,
  SenderKeyRecord,
  SenderKeyStore,
} from '@signalapp/libsignal-client';

type Bytes = Uint8Array<ArrayBuffer>;

const group = '11111111-2222-4333-8444-555555555555';

class SenderKeys extends SenderKeyStore {
  #kept = new Map<string, Bytes>();
  async saveSenderKey(sender: ProtocolAddress, id: string, record: SenderKeyRecord): Promise<void> {
    this.#kept.set(`${sender.name()}.${sender.deviceId()}.${id}`, record.serialize());
  }
  async getSenderKey(sender: ProtocolAddress, id: string): Promise<SenderKeyRecord | null> {
    const bytes = this.#kept.get(`${sender.name()}.${sender.deviceId()}.${id}`);
    return bytes ? SenderKeyRecord.deserialize(bytes) : null;
  }
}

/** A device in a group of its own making; others of this class are let in by what `offer` answers. */
export class SignalGroupDevice {
  readonly address: ProtocolAddress;
  readonly #keys = new SenderKeys();

  constructor(name: string) {
    this.address = ProtocolAddress.new(name, 1);
  }

  /** What lets a device read this one's messages from now on. */
  async offer(): Promise<Bytes> {
    const made = await SenderKeyDistributionMessage.create(this.address, group, this.#keys);
    return made.serialize();
  }

  async admit(sender: ProtocolAddress, offer: Bytes): Promise<void> {
    const read = SenderKeyDistributionMessage.deserialize(offer);
    await processSenderKeyDistributionMessage(sender, read, this.#keys);
  }

  async encrypt(plaintext: Bytes): Promise<Bytes> {
    return (await groupEncrypt(this.address, group, this.#keys, plaintext)).serialize();
  }

  async decrypt(sender: ProtocolAddress, message: Bytes): Promise<Bytes> {
    return await groupDecrypt(sender, this.#keys, message);
  }
}
