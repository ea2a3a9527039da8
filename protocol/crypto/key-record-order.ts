/**
 * Whether a key record is the one that has to come next, belongs to its list, and is the true one for
 * somebody who has only a code. docs/protocol/keys.md §6, §7
 */
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';
import { has } from './account-state.ts';
import { anchorOf, type CodeKeys } from './backup-code.ts';
import { checkSuccessor, type DeviceList } from './device-list.ts';
import type { CodeSlotKeys, KeyRecord, UnverifiedRecord } from './key-record.ts';
import { checkKdf } from './password.ts';
import { equal } from './primitives.ts';

/** What is kept of a record to judge the next one by. */
export type KnownRecord = Pick<
  UnverifiedRecord,
  'account' | 'version' | 'hash' | 'listEpoch' | 'firstEpoch' | 'arkEpoch' | 'codes' | 'slots'
>;

/**
 * The oldest archive key that a record still gives, `known` being that of one before: of more than
 * `limits.archiveKeys` former ones the oldest go, so that there is always room for another.
 */
export const oldestEpoch = (known: number, arkEpoch: number): number =>
  Math.max(known, arkEpoch - limits.archiveKeys);

/** What a record says of its codes. */
type Codes = Pick<UnverifiedRecord, 'codes' | 'slots'>;

const sameSlot = (a: CodeSlotKeys, b: CodeSlotKeys): boolean =>
  equal(a.loc, b.loc) &&
  equal(a.proofHash, b.proofHash) &&
  equal(a.dh, b.dh) &&
  equal(a.anchor, b.anchor);

/**
 * Whether codes were made between the two, however it looks: another salt, or a slot that was not there
 * with the very same keys. A slot that only has its old name may belong to anybody.
 */
export const codesAnew = (before: Codes, after: Codes): boolean =>
  !equal(before.codes.salt, after.codes.salt) ||
  after.slots.some((slot) => !before.slots.some((known) => sameSlot(known, slot)));

/** Codes stay as they are or go, or all are new, under another salt. */
const lawfulCodes = (before: Codes, after: Codes): boolean =>
  !equal(before.codes.salt, after.codes.salt) || !codesAnew(before, after);

/** What hashes codes never gets easier, as long as somebody is there who has known it. */
function kdfHolds(before: Codes, after: Codes): boolean {
  try {
    checkKdf(after.codes.kdf, before.codes.kdf);
    return true;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

/**
 * Throws `stale_record` for a version that is not newer, `record_broken` for anything that does not follow.
 * `reset`: whether the list was reset between the two, which ends the archive of before.
 */
export function checkRecordSuccessor(
  previous: KnownRecord,
  next: UnverifiedRecord,
  reset = false,
): void {
  if (next.account !== previous.account) throw new Fault('record_broken');
  if (next.version <= previous.version) throw new Fault('stale_record');
  const rotated = next.arkEpoch === previous.arkEpoch + 1;
  const epochs = reset
    ? rotated && next.firstEpoch === next.arkEpoch
    : (rotated || next.arkEpoch === previous.arkEpoch) &&
      next.firstEpoch === oldestEpoch(previous.firstEpoch, next.arkEpoch);
  const follows =
    next.version === previous.version + 1 &&
    equal(next.prevHash, previous.hash) &&
    next.listEpoch >= previous.listEpoch &&
    epochs &&
    lawfulCodes(previous, next) &&
    (reset || kdfHolds(previous, next));
  if (!follows) throw new Fault('record_broken');
}

/**
 * For a device that knows `known` and was handed `next`, with the versions between perhaps unseen. Throws
 * `stale_record` for an older record (rollback), `record_broken` for another one of the same version and for
 * epochs that fall. `reset`: whether the list was reset between the two. Never throws for the known one.
 * Codes may have been made anew in between, also under the salt of before: `codesAnew` tells.
 */
export function checkNewerRecord(known: KnownRecord, next: UnverifiedRecord, reset = false): void {
  if (next.account !== known.account) throw new Fault('record_broken');
  if (next.version < known.version) throw new Fault('stale_record');
  if (next.version === known.version) {
    if (!equal(next.hash, known.hash)) throw new Fault('record_broken');
    return;
  }
  if (next.version === known.version + 1) checkRecordSuccessor(known, next, reset);
  const follows =
    next.arkEpoch >= known.arkEpoch &&
    next.listEpoch >= known.listEpoch &&
    (reset || kdfHolds(known, next)) &&
    (reset
      ? next.firstEpoch > known.arkEpoch
      : next.firstEpoch === oldestEpoch(known.firstEpoch, next.arkEpoch));
  if (!follows) throw new Fault('record_broken');
}

/** Throws `record_broken` unless the record was made under exactly this list, with a slot for each of its devices. */
export function checkRecordList(record: UnverifiedRecord, list: DeviceList): void {
  const belongs =
    record.account === list.account &&
    record.listEpoch === list.epoch &&
    equal(record.listHash, list.hash) &&
    record.devices.length === list.devices.length &&
    record.devices.every(({ device }, i) => device === list.devices[i]?.device);
  if (!belongs) throw new Fault('record_broken');
}

/**
 * For somebody who has a code and no device: whether the identity that signed `record` is the one that
 * made the code, or one that it was lawfully handed on to. `lists`: the account's lists one after another,
 * from one at which the AIK of the code's making was in force (all of them will do) to the record's.
 * Throws `wrong_code` if the record has no slot of the code, `identity_changed` if none of the AIKs made
 * it or a reset lies between, and what `checkSuccessor` and `checkRecordList` throw.
 */
export function checkAnchor(record: KeyRecord, code: CodeKeys, lists: readonly DeviceList[]): void {
  const slot = record.slots.find(({ loc }) => equal(loc, code.loc));
  if (slot === undefined) throw new Fault('wrong_code');
  const last = lists.at(-1);
  if (last === undefined || !equal(last.aik, record.aik)) throw new Fault('record_broken');
  checkRecordList(record, last);
  lists.forEach((list, i) => {
    const before = lists[i - 1];
    if (before !== undefined) checkSuccessor(before, list);
  });
  const made = lists.findLastIndex((list) =>
    equal(anchorOf(code, list.account, list.aik), slot.anchor),
  );
  if (made === -1 || lists.slice(made + 1).some((list) => has(list, 'reset'))) {
    throw new Fault('identity_changed');
  }
}
