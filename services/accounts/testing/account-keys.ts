/** The keys of a person's account as their devices keep them, for tests: lists, records, archive keys, backup codes. */
import type { CodeKeys } from '@island/protocol/crypto/backup-code.ts';
import {
  type KeyRecord,
  type KeyRecordParts,
  makeKeyRecord,
  openKeyRecord,
} from '@island/protocol/crypto/key-record.ts';
import { kdfFloor } from '@island/protocol/crypto/password.ts';
import { proofUses, proveDevice } from '@island/protocol/crypto/session-proof.ts';
import { decodeJwt } from 'jose';
import type { NewDevice, Owned } from '../../directory/testing/next-list.ts';
import type { JoinRequest } from '../devices/new-device.ts';
import type { Keeping } from '../devices/records.ts';
import { type Applicant, newCode, random, slotOf } from './applicant.ts';

/** Everything about the present list and record, secrets included. */
export interface AccountKeys extends Owned {
  parts: KeyRecordParts;
  record: KeyRecord;
  codes: readonly CodeKeys[];
  /** What the island gets. */
  keeping: Keeping;
}

const own = (bytes: Uint8Array) => new Uint8Array(bytes);

function made(
  { aik, list }: Owned,
  parts: KeyRecordParts,
  codes: readonly CodeKeys[],
): AccountKeys {
  const { record, shares } = makeKeyRecord(parts);
  const keeping = {
    record: own(record),
    shares: shares.map(({ loc, share }) => ({ loc: own(loc), share: own(share) })),
  };
  return { aik, list, parts, record: openKeyRecord(record, aik.public), codes, keeping };
}

/** As the person registered. */
export function keysOf({ aik, list, ark, codes, codesSalt, keeping }: Applicant): AccountKeys {
  const parts: KeyRecordParts = {
    version: 1,
    prevHash: new Uint8Array(32),
    list,
    aik,
    firstEpoch: 1,
    arkEpoch: 1,
    ark,
    former: [],
    head: { seq: 0, hash: new Uint8Array(32) },
    codes: { salt: codesSalt, kdf: { ...kdfFloor } },
    slots: codes.map((code) => slotOf(code, list)),
  };
  return { aik, list, parts, record: openKeyRecord(keeping.record, aik.public), codes, keeping };
}

export interface KeysChange {
  /** Under another list. */
  owned?: Owned;
  /** A new archive key; `reset`: nothing of before is kept. */
  ark?: 'rotate' | 'reset';
  /** Codes whose slots are left out. */
  without?: readonly CodeKeys[];
  /** So many new codes in the place of all. */
  renew?: number;
  /** Whatever else, also what is wrong. */
  parts?: Partial<KeyRecordParts>;
}

/** The next record. */
export function nextKeys(before: AccountKeys, change: KeysChange = {}): AccountKeys {
  const { owned = before, ark, without = [], renew } = change;
  const { aik, list } = owned;
  const old = before.parts;
  const codes =
    renew === undefined
      ? before.codes.filter((code) => !without.includes(code))
      : Array.from({ length: renew }, newCode);
  const slots =
    renew === undefined
      ? old.slots.filter(({ loc }) => codes.some((code) => Buffer.compare(loc, code.loc) === 0))
      : codes.map((code) => slotOf(code, list));
  const parts: KeyRecordParts = {
    ...old,
    version: before.record.version + 1,
    prevHash: before.record.hash,
    aik,
    list,
    codes: renew === undefined ? old.codes : { ...old.codes, salt: random(16) },
    slots,
    ...epochsOf(old, ark),
    ...change.parts,
  };
  return made(owned, parts, codes);
}

function epochsOf({ arkEpoch, ark, former }: KeyRecordParts, how: KeysChange['ark']) {
  if (how === undefined) return {};
  const next = { ark: random(32), arkEpoch: arkEpoch + 1 };
  if (how === 'rotate') return { ...next, former: [...former, ark] };
  return { ...next, firstEpoch: arkEpoch + 1, former: [] };
}

/** As a request has it. */
export const sent = ({ record, shares }: Keeping) => ({ record, shares: [...shares] });

/** As the gateway reads it from the token. */
export const joiningOf = ({ joining }: { joining: string }): string =>
  `${decodeJwt(joining)['sid']}`;

/** What the new device of `keys` sends. */
export function joinRequest(
  keys: AccountKeys,
  { keys: device, joining: enrolmentFor }: NewDevice,
  at: { joining: string; nonce: Uint8Array; challenge: Uint8Array },
): JoinRequest {
  const { list, keeping } = keys;
  const { account } = list;
  const { joining, nonce, challenge } = at;
  const claim = { nonce, account, device: device.device, use: proofUses.join, about: list.hash };
  return {
    account,
    joining,
    list: own(list.bytes),
    ...enrolmentFor(challenge),
    ...sent(keeping),
    nonce,
    deviceProof: own(proveDevice(device.dsk, claim)),
  };
}
