/** A person about to register, for tests: real keys, real signatures. */
import { randomBytes } from 'node:crypto';
import {
  certHash,
  createDevice,
  type DeviceKeys,
  dayOf,
  proveDik,
  signDeviceCert,
} from '@island/protocol/crypto/device.ts';
import { firstDeviceList, signDeviceList } from '@island/protocol/crypto/device-list.ts';
import { makeBatch, makeLastResort, makeSignedPrekey } from '@island/protocol/crypto/prekeys.ts';
import { ed25519, type SigningPair } from '@island/protocol/crypto/primitives.ts';
import { accountId, deviceId } from '@island/protocol/wire/ids.ts';
import type { EnrolRequest } from '../enrolment.ts';

export interface Newcomer {
  name: string;
  aik: SigningPair;
  keys: DeviceKeys;
  /** Everything but the proof, which needs a challenge. */
  enrolment: Omit<EnrolRequest, 'challenge' | 'proof'>;
  /** The whole request. */
  enrol(challenge: Uint8Array): EnrolRequest;
}

/** @param oneTime how many one-time prekeys the first batch has */
export function newcomer(name: string, options: { oneTime?: number; now?: number } = {}): Newcomer {
  const { oneTime = 3, now = Date.now() } = options;
  const account = accountId(randomBytes(16).toString('hex'));
  const device = deviceId(1);
  const aik = ed25519.generate();
  const keys = createDevice({ account, device });
  const day = dayOf(now);
  const cert = signDeviceCert(keys, aik.public, day);
  const enrolment = {
    name,
    account,
    device,
    list: own(signDeviceList(firstDeviceList(cert, name), aik)),
    signedPrekey: own(makeSignedPrekey(keys.dsk, 1, day).public),
    lastResort: own(makeLastResort(keys.dsk, 1, day).public),
    batch: own(makeBatch(keys.dsk, 1, day, undefined, oneTime).public),
  };
  return {
    name,
    aik,
    keys,
    enrolment,
    enrol: (challenge) => ({
      ...enrolment,
      challenge: own(challenge),
      proof: own(proveDik(keys.dik, challenge, certHash(cert))),
    }),
  };
}

const own = (bytes: Uint8Array) => new Uint8Array(bytes);
