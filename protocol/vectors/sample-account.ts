/** An account with devices, backup codes and key records, for vectors and tests. */
import { argon2 } from 'node:crypto';
import { promisify } from 'node:util';
import { noHash } from '../crypto/account-state.ts';
import { anchorOf, type CodeKeys, makeCode, openCode, readCode } from '../crypto/backup-code.ts';
import { createDevice, type DeviceKeys, signDeviceCert } from '../crypto/device.ts';
import {
  type DeviceList,
  type DeviceListChange,
  firstDeviceList,
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '../crypto/device-list.ts';
import {
  type CodeSlotKeys,
  type KeyRecord,
  type KeyRecordParts,
  type MadeRecord,
  makeKeyRecord,
  openKeyRecord,
} from '../crypto/key-record.ts';
import { type Argon2id, kdfFloor } from '../crypto/password.ts';
import { ed25519, type Random, type SigningPair, sha256, sha256Of } from '../crypto/primitives.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { type AccountId, accountId, deviceId } from '../wire/ids.ts';
import { hex } from '../wire/text.ts';

const derive = promisify(argon2);

/** The real thing. */
export const argon2id: Argon2id = async (message, nonce, { memory, passes, lanes }) => {
  const cost = { memory, passes, parallelism: lanes };
  return new Uint8Array(await derive('argon2id', { message, nonce, ...cost, tagLength: 32 }));
};

/** For tests of what comes after it. */
export const quick: Argon2id = async (message, salt) => sha256Of(utf8Bytes('quick'), salt, message);

export interface SampleCode {
  text: string;
  keys: CodeKeys;
}

export class SampleAccount {
  readonly random: Random;
  readonly account: AccountId;
  readonly codes: { salt: Uint8Array; kdf: { memory: number; passes: number; lanes: number } };
  aik: SigningPair;
  /** The device that is there from the first list on. */
  readonly one: DeviceKeys;
  /** All lists, oldest first. */
  readonly lists: DeviceList[];

  /** `account`: that of somebody else, for an impostor. */
  constructor(random: Random, name = 'ann', account = accountId(hex(random(16)))) {
    this.random = random;
    this.account = account;
    this.aik = ed25519.fromSeed(random(32));
    this.one = this.device(1);
    this.codes = { salt: random(16), kdf: { ...kdfFloor } };
    const cert = signDeviceCert(this.one, this.aik.public, 20_780);
    this.lists = [openDeviceList(signDeviceList(firstDeviceList(cert, name), this.aik))];
  }

  device(id: number): DeviceKeys {
    return createDevice({ account: this.account, device: deviceId(id), random: this.random });
  }

  /** The newest list. */
  get list(): DeviceList {
    return this.lists.at(-1) as DeviceList;
  }

  /** The next list; with `replace`, under a new AIK, which the devices `joining` join. */
  change(
    change: Omit<DeviceListChange, 'replace'>,
    replace?: 'rotate' | 'reset',
    joining?: readonly DeviceKeys[],
  ): DeviceList {
    const former = this.aik;
    if (replace !== undefined) this.aik = ed25519.fromSeed(this.random(32));
    const how = replace && { replace: { aik: this.aik.public, how: replace } };
    const devices = joining && { devices: joining.map((keys) => this.cert(keys)) };
    const state = nextDeviceList(this.list, { ...change, ...devices, ...how }, 20_781);
    const signed = signDeviceList(state, this.aik, replace === 'rotate' ? former : undefined);
    this.lists.push(openDeviceList(signed));
    return this.list;
  }

  /** The certificate by which `keys` join under the present AIK. */
  cert(keys: DeviceKeys) {
    return signDeviceCert(keys, this.aik.public, 20_781);
  }

  async makeCodes(count: number, hash: Argon2id = quick): Promise<SampleCode[]> {
    const made: SampleCode[] = [];
    for (let i = 0; i < count; i++) {
      const text = makeCode(this.random);
      const keys = await openCode(readCode(text), this.codes.salt, this.codes.kdf, hash);
      made.push({ text, keys });
    }
    return made;
  }

  slotOf({ loc, proof, dh, anchorKey }: CodeKeys): CodeSlotKeys {
    const keys = { loc, proof, dh, anchorKey };
    const anchor = anchorOf(keys, this.account, this.aik.public);
    return { loc, proofHash: sha256(proof), dh: dh.public, anchor };
  }

  /** A record under the newest list: the first one unless `change` says otherwise. */
  record(
    change: Partial<KeyRecordParts>,
  ): MadeRecord & { opened: KeyRecord; parts: KeyRecordParts } {
    const parts: KeyRecordParts = {
      version: 1,
      prevHash: noHash,
      list: this.list,
      aik: this.aik,
      firstEpoch: 1,
      arkEpoch: 1,
      ark: this.random(32),
      former: [],
      head: { seq: 0, hash: noHash },
      codes: this.codes,
      slots: [],
      ...change,
    };
    const made = makeKeyRecord(parts, this.random);
    return { ...made, opened: openKeyRecord(made.record, parts.aik.public), parts };
  }

  /** The record after `before`, as a device makes it that knows no code. */
  nextRecord(
    before: { opened: KeyRecord; parts: KeyRecordParts },
    change: Partial<KeyRecordParts> = {},
  ): ReturnType<SampleAccount['record']> {
    const { opened, parts } = before;
    return this.record({
      ...parts,
      version: opened.version + 1,
      prevHash: opened.hash,
      list: this.list,
      aik: this.aik,
      slots: opened.slots,
      ...change,
    });
  }

  /** The same with a new archive key. */
  rotated(
    before: { opened: KeyRecord; parts: KeyRecordParts },
    change: Partial<KeyRecordParts> = {},
  ): ReturnType<SampleAccount['record']> {
    const { former, ark, arkEpoch } = before.parts;
    const key = { ark: this.random(32), arkEpoch: arkEpoch + 1, former: [...former, ark] };
    return this.nextRecord(before, { ...key, ...change });
  }
}
