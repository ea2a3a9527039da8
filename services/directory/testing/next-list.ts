/** What a person's devices change of their list, for tests: real keys, real signatures. */
import {
  certHash,
  createDevice,
  type DeviceKeys,
  dayOf,
  proveDik,
  signDeviceCert,
} from '@island/protocol/crypto/device.ts';
import {
  type DeviceList,
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { makeBatch, makeLastResort, makeSignedPrekey } from '@island/protocol/crypto/prekeys.ts';
import { ed25519, type SigningPair } from '@island/protocol/crypto/primitives.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import type { UpdateRequest } from '../update.ts';

/** A list with the key that signs it. */
export interface Owned {
  aik: SigningPair;
  list: DeviceList;
}

export interface ListChange {
  /** A new device joins. */
  add?: boolean;
  /** Its id, where it is not the next one. */
  id?: number;
  /** Devices that leave. */
  remove?: readonly number[];
  /** A new AIK. */
  replace?: 'rotate' | 'reset';
  now?: number;
}

export interface NewDevice {
  keys: DeviceKeys;
  /** What comes with its list, for a challenge of the directory. */
  joining(challenge: Uint8Array): NonNullable<UpdateRequest['joining']>;
}

export function nextList(
  before: Owned,
  change: ListChange & { add: true },
): Owned & { added: NewDevice };
export function nextList(before: Owned, change: ListChange): Owned;
export function nextList(before: Owned, change: ListChange): Owned & { added?: NewDevice } {
  const { add = false, id, remove = [], replace, now = Date.now() } = change;
  const { account, lastDevice } = before.list;
  const aik = replace === undefined ? before.aik : ed25519.generate();
  const day = dayOf(now);
  const kept = before.list.devices.filter(({ device }) => !remove.includes(device));
  const keys = createDevice({ account, device: deviceId(id ?? lastDevice + 1) });
  const cert = signDeviceCert(keys, aik.public, day);
  const state = nextDeviceList(
    before.list,
    {
      devices: add ? [...kept, cert] : kept,
      ...(replace === undefined ? {} : { replace: { aik: aik.public, how: replace } }),
    },
    day,
  );
  const bytes = signDeviceList(state, aik, replace === 'rotate' ? before.aik : undefined);
  const owned = { aik, list: openDeviceList(own(bytes)) };
  if (!add) return owned;
  const { device } = keys;
  const prekeys = {
    signedPrekey: own(makeSignedPrekey(keys.dsk, 1, day).public),
    lastResort: own(makeLastResort(keys.dsk, 1, day).public),
    batch: own(makeBatch(keys.dsk, 1, day, undefined, 2).public),
  };
  return {
    ...owned,
    added: {
      keys,
      joining: (challenge) => ({
        device,
        challenge: own(challenge),
        proof: own(proveDik(keys.dik, challenge, certHash(cert))),
        ...prekeys,
      }),
    },
  };
}

const own = (bytes: Uint8Array) => new Uint8Array(bytes);
