/** Reports: sealed to moderators by whoever made them, kept until somebody closes them. docs/protocol/channel.md §9 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import { readSealedReport } from '@island/protocol/crypto/sealed-report.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId, type SpaceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { idBytes, type SpacesStore } from './database.ts';
import type { SealedRows } from './sealed-rows.ts';

export interface Report {
  report: Uint8Array;
  by: AccountId;
  /** Days since 1970-01-01 UTC. */
  day: number;
  sealed: Uint8Array;
}

const pageBytes = 400 * 1024;

/** The same report again changes nothing. @throws space_full for one too many, `malformed` */
export async function keepReport(
  { store, rows }: { store: SpacesStore; rows: SealedRows },
  space: SpaceId,
  { report, by, day, sealed }: Report,
): Promise<void> {
  readSealedReport(sealed);
  const of = idBytes(space);
  const seal = await rows.sealer();
  await store.write(async (_db, sql) => {
    const [same] = await sql.rows<{ author: Buffer }>(
      'SELECT author FROM reports WHERE space = ? AND report = ?',
      [of, report],
    );
    if (same && equal(same.author, idBytes(by))) return;
    if (same) throw new Fault('malformed');
    const [{ last = 0, waiting = 0, own = 0 } = {}] = await sql.rows<{
      last: number;
      waiting: number;
      own: number;
    }>(
      'SELECT coalesce(max(number), 0) AS last, count(*) AS waiting, coalesce(sum(author = ?), 0) AS own FROM reports WHERE space = ?',
      [idBytes(by), of],
    );
    // Nobody alone keeps the others from being heard.
    const full = waiting >= limits.reportsWaiting || own >= limits.reportsEach;
    if (full) throw new Fault('space_full');
    await sql.run(
      'INSERT INTO reports (space, number, report, author, day, sealed) VALUES (?, ?, ?, ?, ?, ?)',
      [of, last + 1, report, idBytes(by), day, seal(of, last + 1, sealed)],
    );
  });
}

/** The oldest behind `after`, as many as fit into one answer. */
export async function readReports(
  { store, rows }: { store: SpacesStore; rows: SealedRows },
  space: SpaceId,
  after: number,
): Promise<(Report & { number: number })[]> {
  const of = idBytes(space);
  const found = await store.rows<{
    number: number;
    report: Buffer;
    author: Buffer;
    day: number;
    sealed: Buffer;
  }>(
    'SELECT number, report, author, day, sealed FROM reports WHERE space = ? AND number > ? ORDER BY number LIMIT 100',
    [of, after],
  );
  let bytes = 0;
  return found.flatMap(({ number, report, author, day, sealed }) => {
    bytes += sealed.length;
    const opened = bytes > pageBytes ? undefined : rows.open(of, number, sealed);
    if (opened === undefined) return [];
    return [{ number, report, by: accountId(author.toString('hex')), day, sealed: opened }];
  });
}
