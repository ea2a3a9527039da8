/** Deletes the segments of erased archives, a piece at a time, so that nobody's append waits for a gigabyte. docs/decisions/062-archive.md */
import type { ArchiveStore } from './database.ts';

/** Segments in one transaction: at most 8 MiB. */
const piece = 128;

/**
 * Then the write-ahead log is emptied, so that no copy of what was deleted stays in it.
 * @returns how many archives are gone now
 */
export async function sweep(store: ArchiveStore): Promise<number> {
  const chains = await store.rows<{ account: string; chain: number }>(
    'SELECT account, chain FROM erased',
  );
  for (const { account, chain } of chains) {
    for (let deleted = piece; deleted === piece; ) {
      deleted = await store.write((_db, sql) =>
        sql.run(
          `DELETE FROM segments WHERE account = ? AND chain = ? AND seq IN
             (SELECT seq FROM segments WHERE account = ? AND chain = ? ORDER BY seq LIMIT ?)`,
          [account, chain, account, chain, piece],
        ),
      );
    }
    await store.write((_db, sql) =>
      sql.run('DELETE FROM erased WHERE account = ? AND chain = ?', [account, chain]),
    );
  }
  if (chains.length > 0) await store.rows('PRAGMA wal_checkpoint(TRUNCATE)');
  return chains.length;
}
