/**
 * Whether segments of the archive may be believed. docs/protocol/archive.md §4
 *
 * Each follows from the one before (number, hash), was signed by a device that the account had at the
 * epoch which the segment names, opens with the key of its epoch, and names no lower epochs than the one
 * before: what a removed device writes cannot follow anything that was written after its removal.
 */
import { type ArchiveEntry, decodeEntries } from '@island/protocol/crypto/archive-entry.ts';
import {
  checkNextSegment,
  openSegment,
  readSegment,
  type Segment,
  verifySegment,
} from '@island/protocol/crypto/archive-segment.ts';
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import type { DeviceList } from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { arkFor, type Keyring } from '../account/account-keys.ts';
import type { PastLists } from '../account/past-lists.ts';
import { Problem } from '../problem.ts';
import type { ArchiveState, Head } from './rows.ts';

/** The account as this home knows it at the moment. */
export interface Own {
  account: AccountId;
  present: DeviceList;
  keys: Keyring;
  lists: PastLists;
}

export interface OpenedSegment {
  segment: Segment;
  entries: ArchiveEntry[];
  /** Whether its device is on the present list. */
  listed: boolean;
}

/** A segment names a list or a key that is newer than those known here: they have to be fetched first. */
export class Behind extends Error {
  override name = 'Behind';
}

/** What the next segment has to follow from. */
export type Before = Pick<
  ArchiveState,
  'seq' | 'hash' | 'listEpoch' | 'arkEpoch' | 'floor' | 'vouched'
>;

/**
 * Opens segments that follow from `before`, all or none. Throws `archive_broken`, `archive_rolled_back`,
 * `archive_forged`, `archive_newer` (Problem), `Behind`, and what fetching own lists throws.
 */
export async function openChain(
  segments: readonly Uint8Array[],
  before: Before,
  own: Own,
  signal?: AbortSignal,
): Promise<OpenedSegment[]> {
  const opened: OpenedSegment[] = [];
  let last = before;
  for (const bytes of segments) {
    const segment = named('archive_broken', () => readSegment(bytes));
    follows(segment, last, own.account);
    atFloor(segment, before.floor);
    const entries = await open(segment, own, signal);
    const listed = own.present.devices.some(({ device }) => device === segment.device);
    // A removed device has the key and the list of before: nobody knows when it wrote this.
    const believed = listed || segment.seq <= (before.vouched ?? 0);
    opened.push({ segment, entries: believed ? entries : [], listed });
    const { seq, hash, listEpoch, arkEpoch } = segment;
    last = { seq, hash, listEpoch, arkEpoch };
  }
  return opened;
}

function follows(segment: Segment, last: Before, account: AccountId): void {
  const inPlace = segment.seq === last.seq + 1 && equal(segment.prevHash, last.hash);
  const { listEpoch, arkEpoch } = last;
  // Whoever wrote it knew what is before it, and was held to a list or a key of before that.
  if (inPlace && (segment.listEpoch < listEpoch || segment.arkEpoch < arkEpoch))
    throw new Problem('archive_forged');
  const previous = last.seq === 0 ? undefined : { ...last, account };
  named('archive_broken', () => checkNextSegment(account, previous, segment));
}

function atFloor({ seq, hash }: Segment, floor: Head | undefined): void {
  if (floor?.seq === seq && !equal(floor.hash, hash)) throw new Problem('archive_rolled_back');
}

async function open(
  segment: Segment,
  { present, keys, lists }: Own,
  signal: AbortSignal | undefined,
): Promise<ArchiveEntry[]> {
  const { listEpoch, arkEpoch, device } = segment;
  if (listEpoch > present.epoch || arkEpoch > keys.arkEpoch) throw new Behind();
  const list = await lists.at(listEpoch, present, signal);
  const writer = list.devices.find((cert) => cert.device === device);
  const ark = arkFor(keys, arkEpoch);
  if (!writer) throw new Problem('archive_forged');
  if (arkEpoch < keys.firstEpoch) {
    // Of a key that no record gives any more: this device can't read it, and knows that it is lawful.
    named('archive_forged', () => verifySegment(segment, writer.dsk));
    return [];
  }
  if (!ark) throw new Problem('archive_forged');
  return named('archive_forged', () => {
    const { entries } = decodeEntries(openSegment(segment, writer.dsk, ark));
    return entries;
  });
}

/** A form of later versions is no forgery. */
function named<T>(code: 'archive_broken' | 'archive_forged', work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof Fault || cause instanceof CryptoFault)) throw cause;
    const newer = cause.code === 'unknown_version' || cause.code === 'unknown_type';
    throw new Problem(newer ? 'archive_newer' : code, {}, { cause });
  }
}
