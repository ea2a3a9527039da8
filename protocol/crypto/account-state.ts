/**
 * The fields of a device list: a person's account state, as it is signed and, later, committed to by
 * the transparency log. docs/protocol/devices.md §4
 *
 *     fields = u8 1 ‖ u8 0x21 ‖ u8 flags ‖ account 16 ‖ text16 name ‖ u32 epoch ‖ prevHash 32
 *              ‖ AIK 32 ‖ u32 aikEpoch ‖ u32 resetCounter ‖ u32 lastDevice
 *              ‖ u8 n ‖ n × { AIK 32 ‖ u32 device ‖ u32 addedDay ‖ DSK 32 ‖ DIK 32 ‖ signature 64 }
 *              ‖ u8 m ‖ m × { u32 device ‖ u32 day }
 *
 * flags say what this epoch changed: 0x01 register, 0x02 update, 0x04 rotate, 0x08 reset,
 * 0x10 revoke, 0x20 erase. Device names are never part of it.
 */
import { type Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId, type DeviceId, deviceId, personName } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fromHex, hex } from '../wire/text.ts';
import { type DeviceCert, lastDay, readDevice } from './device.ts';
import { equal } from './primitives.ts';
import { signingKey } from './public-key.ts';

export const listFlags = {
  register: 0x01,
  update: 0x02,
  rotate: 0x04,
  reset: 0x08,
  revoke: 0x10,
  erase: 0x20,
} as const;

export interface Revocation {
  device: DeviceId;
  /** Days since 1970-01-01 UTC. */
  day: number;
}

export interface DeviceListState {
  /** What this epoch changed: a sum of `listFlags`. */
  flags: number;
  account: AccountId;
  name: string;
  /** 1 for the first list, then one more each time. */
  epoch: number;
  /** Hash of the list before; 32 zero bytes first. */
  prevHash: Uint8Array;
  aik: Uint8Array;
  /** 1 for the first AIK, then one more with each rotation or reset. */
  aikEpoch: number;
  /** How often the AIK was replaced without its own consent. */
  resetCounter: number;
  /** The highest device id that this account ever gave: ids do not return. */
  lastDevice: number;
  /** Ascending by id. */
  devices: readonly DeviceCert[];
  /** Removed devices, ascending by id; only the `limits.revokedDevices` highest are kept. */
  revoked: readonly Revocation[];
}

const version = 1;
const type = 0x21;

/** `prevHash` of a first list. */
export const noHash = new Uint8Array(32);

export function encodeState(state: DeviceListState): Uint8Array {
  const out = new Writer(512).u8(version).u8(type).u8(state.flags).raw(fromHex(state.account));
  out.text16(state.name).u32(state.epoch).raw(state.prevHash).raw(state.aik);
  out.u32(state.aikEpoch).u32(state.resetCounter).u32(state.lastDevice).u8(state.devices.length);
  for (const { aik, device, addedDay, dsk, dik, signature } of state.devices) {
    out.raw(aik).u32(device).u32(addedDay).raw(dsk).raw(dik).raw(signature);
  }
  out.u8(state.revoked.length);
  for (const { device, day } of state.revoked) out.u32(device).u32(day);
  return out.done();
}

/** Form and keys are checked; `checkState` and the signatures are for the caller. */
export function readState(from: Reader): DeviceListState {
  const flags = from.header(version, type).u8();
  const account = accountId(hex(from.raw(16)));
  const name = personName(from.text16(limits.nameCharacters));
  const epoch = from.u32();
  const prevHash = from.raw(32);
  const aik = signingKey(from.raw(32));
  const aikEpoch = from.u32();
  const resetCounter = from.u32();
  const lastDevice = from.u32();
  const deviceCount = from.u8();
  if (deviceCount > limits.devices) throw new Fault('too_large');
  const devices = Array.from({ length: deviceCount }, () => {
    return { account, ...readDevice(from, signingKey(from.raw(32))) };
  });
  const revokedCount = from.u8();
  if (revokedCount > limits.revokedDevices) throw new Fault('too_large');
  const revoked = Array.from({ length: revokedCount }, () => {
    return { device: deviceId(from.u32()), day: from.u32() };
  });
  const ids = { account, name, epoch, prevHash, aik, aikEpoch, resetCounter, lastDevice };
  return { flags, ...ids, devices, revoked };
}

export const has = (state: DeviceListState, flag: keyof typeof listFlags): boolean =>
  (state.flags & listFlags[flag]) !== 0;

/** The combinations that an epoch can be: one line each. */
function lawfulFlags(flags: number): boolean {
  const { register, update, rotate, reset, revoke, erase } = listFlags;
  if (flags === register || flags === erase) return true;
  if (flags === 0 || (flags & ~(update | rotate | reset | revoke)) !== 0) return false;
  return (flags & (rotate | reset)) !== (rotate | reset);
}

function ascending(ids: readonly { device: number }[]): boolean {
  return ids.every(({ device }, i) => i === 0 || device > (ids[i - 1]?.device ?? 0));
}

function distinct(keys: readonly Uint8Array[]): boolean {
  return new Set(keys.map(hex)).size === keys.length;
}

/** Throws `malformed` where the parts of a list contradict each other. */
export function checkState(state: DeviceListState): void {
  const { epoch, aikEpoch, resetCounter, lastDevice, devices, revoked, aik } = state;
  const first = has(state, 'register');
  const replaced = has(state, 'rotate') || has(state, 'reset');
  // A key from before a reset says nothing about the identity after it; before any change there is one AIK.
  const oneAik = has(state, 'reset') || aikEpoch === 1;
  const lawful =
    lawfulFlags(state.flags) &&
    (epoch === 1) === first &&
    equal(state.prevHash, noHash) === first &&
    epoch >= aikEpoch &&
    aikEpoch > resetCounter &&
    (!replaced || aikEpoch > 1) &&
    (!first || (aikEpoch === 1 && revoked.length === 0)) &&
    (!has(state, 'reset') || resetCounter > 0) &&
    (devices.length === 0) === has(state, 'erase') &&
    ascending(devices) &&
    ascending(revoked) &&
    devices.every(({ device, addedDay }) => device <= lastDevice && addedDay <= lastDay) &&
    revoked.every(({ device, day }) => device <= lastDevice && day <= lastDay) &&
    !revoked.some(({ device }) => devices.some((cert) => cert.device === device)) &&
    (!oneAik || devices.every((cert) => equal(cert.aik, aik))) &&
    distinct([aik, ...devices.map((cert) => cert.dsk)]) &&
    distinct(devices.map((cert) => cert.dik));
  if (!lawful) throw new Fault('malformed');
}
