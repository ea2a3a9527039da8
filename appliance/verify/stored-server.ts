/** What the island stores of one server, counted in its database. docs/protocol/at-rest.md */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fromHex } from '@island/protocol/wire/text.ts';
import type { Place } from './member.ts';
import type { Scene } from './scene.ts';

export interface Kept {
  rows: number;
  bytes: number;
}

/** What the database of spaces has more, of this server, after some work. */
export async function kept(scene: Scene, place: Place, work: () => Promise<void>): Promise<Kept> {
  const before = measured(scene, place);
  await work();
  const after = measured(scene, place);
  return { rows: after.rows - before.rows, bytes: after.bytes - before.bytes };
}

/** Rows of every table that names the server or the channel; a number counts as eight bytes. */
function measured({ layout }: Scene, { space, channel }: Place): Kept {
  const file = join(layout.service('spaces'), 'spaces.sqlite');
  using database = new DatabaseSync(file, { readOnly: true });
  const total = { rows: 0, bytes: 0 };
  for (const { name } of database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all()) {
    const columns = database.prepare(`SELECT name FROM pragma_table_info(?)`).all(String(name));
    const by = ['channel', 'space'].find((each) =>
      columns.some((column) => column['name'] === each),
    );
    if (by === undefined) continue;
    const id = fromHex(by === 'channel' ? channel : space);
    for (const row of database.prepare(`SELECT * FROM "${name}" WHERE ${by} = ?`).iterate(id)) {
      total.rows += 1;
      for (const cell of Object.values(row))
        total.bytes += cell instanceof Uint8Array ? cell.length : 8;
    }
  }
  return total;
}
