/**
 * Archives: one chain of sealed segments an account, each naming the hash of the one before.
 * docs/protocol/archive.md
 */
import { readSegment, type Segment } from '@island/protocol/crypto/archive-segment.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, DeviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { recordBytes } from '../kit/at-rest-record.ts';
import { groupCommit } from '../kit/group-commit.ts';
import type { ArchiveStore } from './database.ts';
import type * as schema from './schema.ts';
import type { SealedSegments } from './sealed-segments.ts';
import { apply, type Write } from './writes.ts';

export interface Archives {
  /** Of the newest segment; 0 and zeros when there is none. */
  head(account: AccountId): Promise<{ seq: number; hash: Uint8Array }>;
  /**
   * Resolves once the segment is on the disk. The newest one again changes nothing.
   * @param check whether the device may write, and wrote this
   * @throws forbidden for another's segment; what `check` throws; archive_moved { seq }, stale_list, stale_record, archive_full,
   *   storage_full, unavailable, and what the decoder throws: nothing was stored
   */
  append(
    account: AccountId,
    device: DeviceId,
    segment: Uint8Array,
    check?: (segment: Segment) => Promise<void>,
  ): Promise<void>;
  /** Segments behind `after`, ascending, as many as fit into one JSON answer. */
  read(account: AccountId, after: number): Promise<Uint8Array[]>;
  /**
   * The archive is empty at once; what was in it is deleted soon (erasure.ts).
   * @param listEpoch no segment made under an older list is taken from then on
   */
  erase(account: AccountId, listEpoch?: number): Promise<void>;
  /** The same, and nothing tells that there was one. */
  end(account: AccountId): Promise<void>;
}

/** Segments looked at for one answer: more than could fit, however small. */
const mostSegments = 512;

/** @param most bytes of one archive */
export async function openArchives(
  store: ArchiveStore,
  sealed: SealedSegments,
  most: number = limits.archiveBytes,
): Promise<Archives> {
  let seal = await sealed.sealer();
  const writes = groupCommit<typeof schema, Write, undefined>(store, {
    async prepare() {
      seal = await sealed.sealer();
    },
    apply: (group, _db, sql) => apply(group, sql, most, seal),
    mostItems: 128,
    mostWaiting: 1024,
  });

  return {
    async head(account) {
      const [head] = await store.rows<{ seq: number; hash: Buffer }>(
        'SELECT seq, hash FROM heads WHERE account = ?',
        [account],
      );
      return head ?? { seq: 0, hash: new Uint8Array(32) };
    },
    async append(account, device, segment, check) {
      const read = readSegment(segment);
      if (read.account !== account || read.device !== device) throw new Fault('forbidden');
      await check?.(read);
      await writes.add({ kind: 'append', ...read, bytes: segment });
    },
    read: (account, after) => page(store, sealed, account, after),
    async end(account) {
      await writes.add({ kind: 'end', account });
    },
    async erase(account, listEpoch = 0) {
      await writes.add({ kind: 'erase', account, listEpoch });
    },
  };
}

/** Each query sees one chain, and the segments of a chain ascend without gaps. */
async function page(
  store: ArchiveStore,
  sealed: SealedSegments,
  account: string,
  after: number,
): Promise<Uint8Array[]> {
  const sizes = await store.rows<{ seq: number; size: number }>(
    `SELECT s.seq, length(s.bytes) AS size FROM heads AS h
     JOIN segments AS s ON s.account = h.account AND s.chain = h.chain
     WHERE h.account = ? AND s.seq > ? ORDER BY s.seq LIMIT ?`,
    [account, after, mostSegments],
  );
  const rows = await store.rows<{ chain: number; seq: number; bytes: Buffer }>(
    `SELECT s.chain, s.seq, s.bytes FROM heads AS h
     JOIN segments AS s ON s.account = h.account AND s.chain = h.chain
     WHERE h.account = ? AND s.seq > ? AND s.seq <= ? ORDER BY s.seq`,
    [account, after, lastThatFits(sizes)],
  );
  return rows.flatMap(({ chain, seq, bytes }) => sealed.open(account, chain, seq, bytes) ?? []);
}

/** `{"segments":[…]}`, each segment as base64url between quotes, with a comma. */
function lastThatFits(sizes: readonly { seq: number; size: number }[]): number {
  let last = 0;
  let total = '{"segments":[]}'.length;
  for (const { seq, size } of sizes) {
    total += Math.ceil(((size - recordBytes) * 4) / 3) + 3;
    if (total > limits.jsonBytes) break;
    last = seq;
  }
  return last;
}
