/** What ages: spaces that have ended, and reports that nobody closed. docs/protocol/limits.md §4 */

import { type SpaceId, spaceId } from '@island/protocol/wire/ids.ts';
import { type Clock, unixDay } from '../kit/clock.ts';
import { retentionDays } from '../kit/retention.ts';
import type { SpacesStore } from './database.ts';

/** @returns the spaces that are gone, and how many reports */
export async function expire(
  store: SpacesStore,
  clock: Clock,
): Promise<{ spaces: SpaceId[]; reports: number }> {
  const day = unixDay(clock);
  return store.write(async (_db, sql) => {
    const reports = await sql.run('DELETE FROM reports WHERE day < ?', [
      day - retentionDays.reports,
    ]);
    const gone = await sql.rows<{ space: Buffer }>('SELECT space FROM spaces WHERE ended < ?', [
      day - retentionDays.closedSpaces,
    ]);
    for (const { space } of gone) {
      await sql.run(
        'DELETE FROM posts WHERE channel IN (SELECT channel FROM channels WHERE space = ?)',
        [space],
      );
      for (const table of ['reports', 'channels', 'memberships', 'entries', 'spaces'])
        await sql.run(`DELETE FROM ${table} WHERE space = ?`, [space]);
    }
    return { spaces: gone.map(({ space }) => spaceId(space.toString('hex'))), reports };
  });
}
