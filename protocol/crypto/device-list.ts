/**
 * A person's devices, signed by the account identity key (AIK). docs/protocol/devices.md §4, §5
 *
 *     list = fields (account-state.ts)
 *            ‖ signature 64               by AIK, purpose "device-list", over fields
 *            [ ‖ formerSignature 64 ]     iff rotate: by the AIK before, purpose "device-list-rotation"
 *     hash = SHA-256( "PI/1/hash/device-list" ‖ 0x00 ‖ list )
 */
import { concat, Reader, utf8Bytes } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';
import {
  checkState,
  type DeviceListState,
  encodeState,
  has,
  listFlags,
  noHash,
  type Revocation,
  readState,
} from './account-state.ts';
import { type DeviceCert, verifyDeviceCert } from './device.ts';
import { equal, type SigningPair, sha256Of } from './primitives.ts';
import { mustVerify, sign } from './signature.ts';

export interface DeviceList extends DeviceListState {
  /** The bytes that were opened. */
  bytes: Uint8Array;
  hash: Uint8Array;
  /** What was signed: `bytes` without the signatures. */
  fields: Uint8Array;
  /** By the AIK before, in a rotation: only `checkSuccessor` can verify it. */
  formerSignature: Uint8Array | undefined;
}

const hashLabel = utf8Bytes('PI/1/hash/device-list\0');

export const hashDeviceList = (bytes: Uint8Array): Uint8Array => sha256Of(hashLabel, bytes);

/**
 * The signed bytes, at most 3,463. `former` is the AIK before and belongs to a rotation only. Throws
 * what `openDeviceList` would throw: nothing is signed that a reader would refuse.
 */
export function signDeviceList(
  state: DeviceListState,
  aik: SigningPair,
  former?: SigningPair,
): Uint8Array {
  const fields = encodeState(state);
  const signatures = [sign('device-list', aik, fields)];
  if (former !== undefined) signatures.push(sign('device-list-rotation', former, fields));
  const bytes = concat(fields, ...signatures);
  openDeviceList(bytes);
  return bytes;
}

/**
 * Decodes a list and verifies what it says by itself: form, keys, the AIK's signature, every
 * device's own signature and that its parts agree. Whether it follows from the list that is known
 * already is for `checkSuccessor` and `checkNewer`.
 */
export function openDeviceList(bytes: Uint8Array): DeviceList {
  const from = new Reader(bytes);
  const state = readState(from);
  const end = bytes.length - from.left;
  const fields = bytes.subarray(0, end);
  const signature = from.raw(64);
  const formerSignature = has(state, 'rotate') ? from.raw(64) : undefined;
  from.end();
  checkState(state);
  mustVerify('device-list', state.aik, fields, signature);
  for (const cert of state.devices) verifyDeviceCert(cert);
  return { ...state, bytes, hash: hashDeviceList(bytes), fields, formerSignature };
}

/** The first list of an account: one device, its certificate made for `aik`. */
export function firstDeviceList(cert: DeviceCert, name: string): DeviceListState {
  const { account, aik, device } = cert;
  const ids = { account, name, aik, lastDevice: device };
  const start = { epoch: 1, prevHash: noHash, aikEpoch: 1, resetCounter: 0 };
  return { flags: listFlags.register, ...ids, ...start, devices: [cert], revoked: [] };
}

/** What a person changes in one epoch. */
export interface DeviceListChange {
  name?: string;
  /** The certificates after the change, ascending by id; none erases the account. */
  devices?: readonly DeviceCert[];
  /** A new AIK: `rotate` is signed by the AIK before as well, `reset` is not. */
  replace?: { aik: Uint8Array; how: 'rotate' | 'reset' };
}

/** The state that follows `previous`: what `checkSuccessor` will demand. `day` dates the removals. */
export function nextDeviceList(
  previous: DeviceList,
  change: DeviceListChange,
  day: number,
): DeviceListState {
  const { account, revoked } = previous;
  const { name = previous.name, devices = previous.devices, replace } = change;
  const ids = { account, name, epoch: previous.epoch + 1, prevHash: previous.hash };
  const identity = {
    aik: replace?.aik ?? previous.aik,
    aikEpoch: previous.aikEpoch + (replace === undefined ? 0 : 1),
    resetCounter: previous.resetCounter + (replace?.how === 'reset' ? 1 : 0),
  };
  const lastDevice = Math.max(previous.lastDevice, ...devices.map((cert) => cert.device));
  const removed = previous.devices
    .filter(({ device }) => !devices.some((cert) => cert.device === device))
    .map(({ device }) => ({ device, day }));
  const next = { flags: 0, ...ids, ...identity, lastDevice, devices, revoked };
  const flags = flagsOf(previous, next, replace?.how);
  return { ...next, flags, revoked: afterRemoval(revoked, removed) };
}

function afterRemoval(before: readonly Revocation[], removed: readonly Revocation[]) {
  const all = [...before, ...removed].sort((a, b) => a.device - b.device);
  return all.slice(-limits.revokedDevices);
}

const sameCert = (a: DeviceCert, b: DeviceCert): boolean =>
  equal(a.signature, b.signature) && sameKeys(a, b) && equal(a.aik, b.aik);

const sameKeys = (a: DeviceCert, b: DeviceCert): boolean =>
  equal(a.dsk, b.dsk) && equal(a.dik, b.dik) && a.addedDay === b.addedDay;

const find = (list: DeviceListState, id: number): DeviceCert | undefined =>
  list.devices.find(({ device }) => device === id);

function flagsOf(
  previous: DeviceListState,
  next: DeviceListState,
  how: 'rotate' | 'reset' | undefined,
): number {
  if (next.devices.length === 0) return listFlags.erase;
  const updated =
    next.name !== previous.name ||
    next.devices.some((cert) => {
      const before = find(previous, cert.device);
      return before === undefined || !sameCert(before, cert);
    });
  const revoked = previous.devices.some(({ device }) => find(next, device) === undefined);
  return (
    (how === undefined ? 0 : listFlags[how]) |
    (updated ? listFlags.update : 0) |
    (revoked ? listFlags.revoke : 0)
  );
}

/**
 * Throws unless `next` is what one lawful change makes of `previous`: `stale_list` for an epoch that
 * is not newer, `list_broken` for anything that does not follow, `bad_signature` for a rotation that
 * the AIK before did not sign. Both come from `openDeviceList`.
 */
export function checkSuccessor(previous: DeviceList, next: DeviceList): void {
  if (next.account !== previous.account) throw new Fault('list_broken');
  if (next.epoch <= previous.epoch) throw new Fault('stale_list');
  const changedAik = !equal(previous.aik, next.aik);
  const how = !changedAik ? undefined : has(next, 'reset') ? 'reset' : 'rotate';
  const expected = nextDeviceList(
    previous,
    {
      name: next.name,
      devices: next.devices,
      ...(how === undefined ? {} : { replace: { aik: next.aik, how } }),
    },
    0,
  );
  const follows =
    !has(previous, 'erase') &&
    next.epoch === expected.epoch &&
    equal(next.prevHash, expected.prevHash) &&
    next.flags === expected.flags &&
    next.aikEpoch === expected.aikEpoch &&
    next.resetCounter === expected.resetCounter &&
    next.lastDevice === expected.lastDevice &&
    sameRevocations(previous, expected, next) &&
    // One device an epoch, with the very next id: no device can use the ids up.
    next.lastDevice <= previous.lastDevice + 1 &&
    next.devices.every((cert) => lawfulCert(previous, next, cert));
  if (!follows) throw new Fault('list_broken');
  if (how === 'rotate') {
    const signature = next.formerSignature ?? new Uint8Array(0);
    mustVerify('device-list-rotation', previous.aik, next.fields, signature);
  }
}

/** The day of a new removal is the signer's to say; a known one stays as it was. */
function sameRevocations(
  previous: DeviceList,
  expected: DeviceListState,
  next: DeviceList,
): boolean {
  return (
    next.revoked.length === expected.revoked.length &&
    next.revoked.every(({ device, day }, i) => {
      const known = previous.revoked.find((entry) => entry.device === device);
      return device === expected.revoked[i]?.device && (known === undefined || known.day === day);
    })
  );
}

/** A known device is as it was, or joined again under the present AIK with the same keys; a new one has a new id. */
function lawfulCert(previous: DeviceList, next: DeviceList, cert: DeviceCert): boolean {
  const before = find(previous, cert.device);
  if (before === undefined) return cert.device > previous.lastDevice && equal(cert.aik, next.aik);
  return sameCert(before, cert) || (sameKeys(before, cert) && equal(cert.aik, next.aik));
}

/**
 * For a client that knows `known` and was handed `next`, with the epochs between perhaps unseen.
 * Throws `stale_list` for an older list (rollback), `identity_changed` for another AIK that the known
 * one did not sign, `list_broken` for two lists of one epoch, for a device that returns or has other
 * keys under the same id. Never throws for the list that is known already.
 */
export function checkNewer(known: DeviceList, next: DeviceList): void {
  if (next.account !== known.account) throw new Fault('list_broken');
  if (next.epoch < known.epoch) throw new Fault('stale_list');
  if (next.epoch === known.epoch) {
    if (!equal(next.hash, known.hash)) throw new Fault('list_broken');
    return;
  }
  if (next.epoch === known.epoch + 1) checkSuccessor(known, next);
  if (has(known, 'erase')) throw new Fault('list_broken');
  const sameAik = equal(known.aik, next.aik);
  const signedOver = next.epoch === known.epoch + 1 && has(next, 'rotate');
  if (!sameAik && !signedOver) throw new Fault('identity_changed');
  const follows =
    next.lastDevice >= known.lastDevice &&
    next.lastDevice - known.lastDevice <= next.epoch - known.epoch &&
    (!sameAik || (next.aikEpoch === known.aikEpoch && next.resetCounter === known.resetCounter)) &&
    next.devices.every((cert) => lawfulCert(known, next, cert));
  if (!follows) throw new Fault('list_broken');
}
