/** For tests: segments as the devices of a person write them. */
import { randomBytes } from 'node:crypto';
import { readSegment, sealSegment } from '@island/protocol/crypto/archive-segment.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { type AccountId, accountId, deviceId } from '@island/protocol/wire/ids.ts';

const keys = { ark: new Uint8Array(32).fill(7), dsk: ed25519.generate() };

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

/** The segment that follows `head`, and what the head is then. */
export function segmentAfter(
  account: AccountId,
  head: TestHead,
  { device = 1, bytes = 100, listEpoch = 1, arkEpoch = 1 }: SegmentOptions = {},
): { bytes: Uint8Array; head: TestHead } {
  const fields = { account, device: deviceId(device), seq: head.seq + 1, prevHash: head.hash };
  const segment = sealSegment({ ...fields, listEpoch, arkEpoch }, randomBytes(bytes), keys);
  const { seq, hash } = readSegment(segment);
  return { bytes: segment, head: { seq, hash } };
}
