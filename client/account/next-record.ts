/**
 * The record of keys that follows from the present one: for the list it goes with, sealed for the devices
 * on it and for the codes that are still good. docs/protocol/keys.md §6
 */
import type { DeviceList } from '@island/protocol/crypto/device-list.ts';
import {
  type CodeSlotKeys,
  type KeyRecord,
  type MadeRecord,
  makeKeyRecord,
} from '@island/protocol/crypto/key-record.ts';
import { oldestEpoch } from '@island/protocol/crypto/key-record-order.ts';
import { equal, randomBytes, type SigningPair } from '@island/protocol/crypto/primitives.ts';
import type { Head } from '../archive/rows.ts';
import type { Hashing } from './account.ts';
import type { Keyring } from './account-keys.ts';

/** Codes in place of those before. */
export interface NewCodes {
  hashing: Hashing;
  slots: readonly CodeSlotKeys[];
}

export interface NextRecord {
  previous: KeyRecord;
  /** The archive keys as of `previous`. */
  keys: Pick<Keyring, 'ark' | 'arkEpoch' | 'firstEpoch' | 'former'>;
  /** The list that the record goes with, and the AIK that signed it. */
  list: DeviceList;
  aik: SigningPair;
  /** Whether there is a new archive key. A code that was used makes one necessary. */
  rotate: boolean;
  /** Slots of codes that were used: they are left out. */
  used: readonly Uint8Array[];
  codes?: NewCodes;
  head: Head;
}

export interface Following extends MadeRecord {
  /** The archive key of the new record. */
  ark: Uint8Array;
}

export function nextRecord(next: NextRecord): Following {
  const { previous, keys, list, aik, used, head } = next;
  const rotate = next.rotate || used.length > 0;
  const ark = rotate ? randomBytes(32) : keys.ark;
  const arkEpoch = keys.arkEpoch + (rotate ? 1 : 0);
  const firstEpoch = oldestEpoch(keys.firstEpoch, arkEpoch);
  const former = rotate ? [...keys.former, keys.ark] : keys.former;
  const made = makeKeyRecord({
    version: previous.version + 1,
    prevHash: previous.hash,
    list,
    aik,
    firstEpoch,
    arkEpoch,
    ark,
    former: former.slice(firstEpoch - keys.firstEpoch),
    head,
    codes: next.codes?.hashing ?? previous.codes,
    slots: next.codes?.slots ?? slotsLeft(previous, used),
  });
  return { ...made, ark };
}

/** The code slots of a record that are still good. */
export const slotsLeft = (
  { slots }: Pick<KeyRecord, 'slots'>,
  used: readonly Uint8Array[],
): KeyRecord['slots'] => slots.filter(({ loc }) => !used.some((gone) => equal(gone, loc)));
