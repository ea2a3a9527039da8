/** For tests: segments as the devices of a person write them, and the lists that say which devices those are. */
import { randomBytes } from 'node:crypto';
import { encodeState, listFlags } from '@island/protocol/crypto/account-state.ts';
import { readSegment, sealSegment } from '@island/protocol/crypto/archive-segment.ts';
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { type AccountId, accountId, deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';

const ark = new Uint8Array(32).fill(7);
const aik = ed25519.generate();
/** Everybody has these devices, from 1, with the same keys, under a list of this epoch. */
const dsks = Array.from({ length: limits.devices }, () => ed25519.generate());
export const listEpochNow = 5;

/** What the directory says of anybody, unsigned: it has verified what it keeps. */
export function listOf(account: AccountId): Uint8Array<ArrayBuffer> {
  const devices = dsks.map((dsk, i) => {
    const keys = { ...createDevice({ account, device: deviceId(i + 1) }), dsk };
    return signDeviceCert(keys, aik.public, 20_000);
  });
  const state = {
    flags: listFlags.update,
    account,
    name: 'somebody',
    epoch: listEpochNow,
    prevHash: new Uint8Array(32).fill(1),
    aik: aik.public,
    aikEpoch: 1,
    resetCounter: 0,
    lastDevice: devices.length,
    devices,
    revoked: [],
  };
  return new Uint8Array(encodeState(state));
}

export interface TestHead {
  seq: number;
  hash: Uint8Array;
}

export const none: TestHead = { seq: 0, hash: new Uint8Array(32) };

export const somebody = (): AccountId => accountId(randomBytes(16).toString('hex'));

export interface SegmentOptions {
  device?: number;
  /** Of entries. */
  bytes?: number;
  listEpoch?: number;
  arkEpoch?: number;
}

/** The segment that follows `head`, and what the head is then; by a key of nobody where there is no such device. */
export function segmentAfter(
  account: AccountId,
  head: TestHead,
  { device = 1, bytes = 100, listEpoch = 1, arkEpoch = 1 }: SegmentOptions = {},
): { bytes: Uint8Array; head: TestHead } {
  const fields = { account, device: deviceId(device), seq: head.seq + 1, prevHash: head.hash };
  const keys = { ark, dsk: dsks[device - 1] ?? ed25519.generate() };
  const segment = sealSegment({ ...fields, listEpoch, arkEpoch }, randomBytes(bytes), keys);
  const { seq, hash } = readSegment(segment);
  return { bytes: segment, head: { seq, hash } };
}
