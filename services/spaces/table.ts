/** What the operator sees of the spaces: sizes, titles and owners, and nothing of what is posted. docs/operations.md */
import { type SpaceId, spaceId } from '@island/protocol/wire/ids.ts';
import { idBytes, type SpacesStore } from './database.ts';
import type { SpaceLogs } from './space-logs.ts';

const rowsPerPage = 100;

export async function tableOf(
  { store, logs }: { store: SpacesStore; logs: SpaceLogs },
  after: SpaceId | undefined,
) {
  const found = await store.rows<{
    space: Buffer;
    bytes: number;
    ended: number | null;
    posts: number | null;
  }>(
    `SELECT space, bytes, ended, (SELECT sum(head) FROM channels WHERE channels.space = spaces.space) AS posts
     FROM spaces WHERE space > ? ORDER BY space LIMIT ${rowsPerPage}`,
    [after === undefined ? Buffer.alloc(0) : idBytes(after)],
  );
  return Promise.all(
    found.map(async ({ space, bytes, ended, posts }) => {
      const id = spaceId(space.toString('hex'));
      const { title, owner, members, channels } = await logs.stateOf(id);
      const counts = { members: members.size, channels: channels.size, posts: posts ?? 0, bytes };
      return { space: id, title, owner, ...counts, closed: ended !== null };
    }),
  );
}
