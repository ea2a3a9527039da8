/** What an entry changes in the tables besides being stored: in the transaction that stores it. docs/protocol/channel.md §3 */
import { emptyFeed } from '@island/protocol/crypto/feed.ts';
import type { SpaceEntry } from '@island/protocol/space/entry.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import type { Statements } from '../kit/store-handle.ts';
import { idBytes } from './database.ts';

type Sql = Pick<Statements, 'run' | 'rows'>;

/** @param day on which the space ends, if the entry ends it */
export async function writeEffects(sql: Sql, entry: SpaceEntry, day: number): Promise<void> {
  const { op, actor } = entry;
  const space = idBytes(entry.space);
  switch (op.op) {
    case 'create':
    case 'join':
      await enter(sql, space, actor);
      return;
    case 'leave':
      return depart(sql, space, actor);
    case 'kick':
    case 'ban':
      return depart(sql, space, op.account);
    case 'owner':
      await sql.run('UPDATE spaces SET owner = ? WHERE space = ?', [idBytes(op.account), space]);
      return;
    case 'channel':
      if (op.kind === 'category') return;
      return beginChannel(sql, space, idBytes(op.channel));
    case 'channelGone':
      return endChannel(sql, idBytes(op.channel));
    case 'removePosts':
      await removePosts(sql, idBytes(op.channel), op.seqs);
      return;
    case 'reportClosed':
      await sql.run('DELETE FROM reports WHERE space = ? AND report = ?', [space, op.report]);
      return;
    case 'close':
      await sql.run('UPDATE spaces SET ended = ? WHERE space = ?', [day, space]);
      return;
    default:
  }
}

/** Others have to look up the devices of who comes. */
async function enter(sql: Sql, space: Buffer, account: AccountId): Promise<void> {
  await sql.run(
    'INSERT INTO memberships (account, space, lists) SELECT ?, space, lists FROM spaces WHERE space = ? ON CONFLICT DO NOTHING',
    [idBytes(account), space],
  );
}

async function depart(sql: Sql, space: Buffer, account: AccountId): Promise<void> {
  await sql.run('DELETE FROM memberships WHERE account = ? AND space = ?', [
    idBytes(account),
    space,
  ]);
}

/** Whoever knows the id of a channel of another space must not end that one by it. Throws `space_invalid`. */
async function beginChannel(sql: Sql, space: Buffer, channel: Buffer): Promise<void> {
  await sql.run(
    'INSERT INTO channels (channel, space, head, feed, gone) VALUES (?, ?, 0, ?, 0) ON CONFLICT DO NOTHING',
    [channel, space, emptyFeed.hash],
  );
  const [row] = await sql.rows<{ space: Buffer }>('SELECT space FROM channels WHERE channel = ?', [
    channel,
  ]);
  if (!row?.space.equals(space)) throw new Fault('space_invalid');
}

async function endChannel(sql: Sql, channel: Buffer): Promise<void> {
  await sql.run('UPDATE channels SET gone = 1 WHERE channel = ?', [channel]);
  await sql.run('UPDATE posts SET post = NULL WHERE channel = ?', [channel]);
}

/** A removed post keeps its place and its hash. @returns those that are removed */
export async function removePosts(
  sql: Sql,
  channel: Buffer,
  seqs: readonly number[],
  author?: Buffer,
): Promise<number[]> {
  const own = author === undefined ? '' : ' AND author = ?';
  const removed: number[] = [];
  for (const seq of seqs) {
    const count = await sql.run(
      `UPDATE posts SET post = NULL WHERE channel = ? AND seq = ?${own}`,
      [channel, seq, ...(author === undefined ? [] : [author])],
    );
    if (count > 0) removed.push(seq);
  }
  return removed;
}
