/** What the operator sees of the spaces: sizes, titles and owners, and nothing of what is posted. docs/operations.md */
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId, type SpaceId, spaceId } from '@island/protocol/wire/ids.ts';
import { idBytes, type SpacesStore } from './database.ts';
import type { SpaceLogs } from './space-logs.ts';

const rowsPerPage = 100;

export async function tableOf(
  { store, logs }: { store: SpacesStore; logs: SpaceLogs },
  after: SpaceId | undefined,
) {
  const found = await store.rows<{
    space: Buffer;
    owner: Buffer;
    bytes: number;
    ended: number | null;
    posts: number | null;
  }>(
    `SELECT space, owner, bytes, ended, (SELECT sum(head) FROM channels WHERE channels.space = spaces.space) AS posts
     FROM spaces WHERE space > ? ORDER BY space LIMIT ${rowsPerPage}`,
    [after === undefined ? Buffer.alloc(0) : idBytes(after)],
  );
  return Promise.all(
    found.map(async ({ space, owner, bytes, ended, posts }) => {
      const id = spaceId(space.toString('hex'));
      const state = await opened(logs, id);
      const counts = { members: state?.members.size ?? 0, channels: state?.channels.size ?? 0 };
      const sizes = { ...counts, posts: posts ?? 0, bytes, closed: ended !== null };
      return { space: id, title: state?.title ?? '', owner: ownerOf(owner), ...sizes };
    }),
  );
}

const ownerOf = (owner: Buffer): AccountId => accountId(owner.toString('hex'));

/** Nothing of a log that does not open at rest: the operator sees that it is there, and can end it. */
async function opened(logs: SpaceLogs, space: SpaceId): Promise<SpaceState | undefined> {
  try {
    return await logs.stateOf(space);
  } catch (error) {
    if (error instanceof Fault && error.code === 'internal') return undefined;
    throw error;
  }
}
