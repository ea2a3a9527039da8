/** Vectors of devices and device lists. docs/protocol/devices.md */
import { listFlags } from '../crypto/account-state.ts';
import {
  certHash,
  createDevice,
  decodeDeviceCert,
  encodeDeviceCert,
  proveDik,
  signDeviceCert,
  verifyDeviceCert,
} from '../crypto/device.ts';
import {
  checkSuccessor,
  type DeviceList,
  type DeviceListChange,
  firstDeviceList,
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '../crypto/device-list.ts';
import { ed25519, type SigningPair, x25519 } from '../crypto/primitives.ts';
import { accountId, deviceId } from '../wire/ids.ts';
import { hex } from '../wire/text.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, refusedForms, type VectorFile } from './vector-file.ts';

const day = 20_780;

function openCert(bytes: Uint8Array): void {
  verifyDeviceCert(decodeDeviceCert(bytes));
}

/** A list as data, with the bytes that say it. */
function shown(list: DeviceList) {
  const { bytes, hash, fields: _fields, formerSignature: _former, ...state } = list;
  return { state, bytes, hash };
}

export const vectors: VectorFile = {
  name: 'devices',
  document: 'docs/protocol/devices.md',
  make() {
    const random = seededRandom('devices');
    const account = accountId(hex(random(16)));
    const aik = ed25519.fromSeed(random(32));
    const newAik = ed25519.fromSeed(random(32));
    const lostAik = ed25519.fromSeed(random(32));
    const keys = (id: number) => createDevice({ account, device: deviceId(id), random });
    const [one, two, three] = [keys(1), keys(2), keys(3)];
    const cert = signDeviceCert(one, aik.public, day);
    const certBytes = encodeDeviceCert(cert);
    const challenge = x25519.fromPrivate(random(32));

    const after = (
      list: DeviceList,
      change: DeviceListChange,
      by: SigningPair,
      former?: SigningPair,
    ) => openDeviceList(signDeviceList(nextDeviceList(list, change, day + list.epoch), by, former));
    const first = openDeviceList(signDeviceList(firstDeviceList(cert, 'ann'), aik));
    const added = after(first, { devices: [cert, signDeviceCert(two, aik.public, day + 1)] }, aik);
    const removed = after(added, { devices: [cert] }, aik);
    const rotated = after(removed, { replace: { aik: newAik.public, how: 'rotate' } }, newAik, aik);
    const rejoined = after(rotated, { devices: [signDeviceCert(one, newAik.public, day)] }, newAik);
    const fresh = { devices: [signDeviceCert(three, lostAik.public, day + 5)] };
    const reset = after(
      rejoined,
      { ...fresh, replace: { aik: lostAik.public, how: 'reset' } },
      lostAik,
    );
    const erased = after(reset, { devices: [] }, lostAik);

    const quiet = { ...nextDeviceList(first, {}, day), flags: listFlags.update };
    const ghost = { ...quiet, lastDevice: 1, devices: [signDeviceCert(keys(1), aik.public, day)] };
    const follows = (previous: DeviceList) => (bytes: Uint8Array) =>
      checkSuccessor(previous, openDeviceList(bytes));
    const ownCert = (dsk: SigningPair) => ({ ...one, dsk });
    return {
      keys: {
        aik: { seed: aik.private, public: aik.public },
        dsk: { seed: one.dsk.private, public: one.dsk.public },
        dik: { private: one.dik.private, public: one.dik.public },
      },
      certificate: { fields: cert, bytes: certBytes, hash: certHash(cert) },
      certificateRefused: [
        ...refusedForms(certBytes, openCert),
        refused('another device id', changed(certBytes, 53, 2), openCert),
        refused('an all-zero DIK', changed(certBytes, 90, ...new Uint8Array(32)), openCert),
        refused('a DIK above the prime', changed(certBytes, 90, ...Array(32).fill(0xff)), openCert),
        refused(
          'signed by another key',
          encodeDeviceCert({
            ...signDeviceCert(ownCert(lostAik), aik.public, day),
            dsk: one.dsk.public,
          }),
          openCert,
        ),
      ],
      dikProof: {
        challenge: { private: challenge.private, public: challenge.public },
        proof: proveDik(one.dik, challenge.public, certHash(cert)),
      },
      /** Each follows the one before. */
      lists: [
        { what: 'register', ...shown(first) },
        { what: 'add a device', ...shown(added) },
        { what: 'remove it', ...shown(removed) },
        { what: 'rotate the AIK', ...shown(rotated) },
        { what: 'the device joins again under the new AIK', ...shown(rejoined) },
        { what: 'reset: the AIK was lost', ...shown(reset) },
        { what: 'erase', ...shown(erased) },
      ],
      listRefused: [
        ...refusedForms(first.bytes, openDeviceList),
        refused('unknown flags', changed(first.bytes, 2, 0x40), openDeviceList),
        refused('another epoch', changed(first.bytes, 27, 2), openDeviceList),
        refused('a bit of the signature', changed(first.bytes, -1, 0), openDeviceList),
        refused(
          'a rotation without the second signature',
          rotated.bytes.subarray(0, -64),
          openDeviceList,
        ),
      ],
      /** `bytes` open by themselves, but do not follow the first list. */
      successorRefused: [
        refused('the list itself again', first.bytes, follows(first)),
        refused('two epochs on', removed.bytes, follows(first)),
        refused('other keys under the same id', signDeviceList(ghost, aik), follows(first)),
        refused('a change that its flags deny', signDeviceList(quiet, aik), follows(first)),
      ],
    };
  },
};
