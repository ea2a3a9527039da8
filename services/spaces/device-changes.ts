/**
 * Which members' devices changed: whoever posts looks these up first, so that a device that was removed is given no
 * more keys. docs/protocol/channel.md §8
 */
import { type AccountId, accountId, type SpaceId, spaceId } from '@island/protocol/wire/ids.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import type { Log } from '../kit/log.ts';
import type { Channels } from './channels.ts';
import { spaces } from './contract.ts';
import { idBytes, type SpacesStore } from './database.ts';

interface Parts {
  store: SpacesStore;
  bus: Bus;
  channels: Channels;
  log: Log;
}

/** Notes every change that the directory tells of, until it is disposed of. */
export function watchDevices({ store, bus, channels, log }: Parts): Disposable {
  return bus.subscribe(directory, 'changed', '*', (_payload, key) => {
    note({ store, bus, channels, log }, key as AccountId).catch((error: unknown) =>
      log.error('device_change_lost', error),
    );
  });
}

async function note({ store, bus, channels }: Parts, account: AccountId): Promise<void> {
  const member = idBytes(account);
  const [in_] = await store.rows('SELECT 1 AS one FROM memberships WHERE account = ? LIMIT 1', [
    member,
  ]);
  if (in_ === undefined) return;
  const moved = await store.write(async (_db, sql) => {
    const mine = 'space IN (SELECT space FROM memberships WHERE account = ?)';
    await sql.run(`UPDATE spaces SET lists = lists + 1 WHERE ${mine}`, [member]);
    await sql.run(
      'UPDATE memberships SET lists = (SELECT lists FROM spaces WHERE space = memberships.space) WHERE account = ?',
      [member],
    );
    return sql.rows<{ space: Buffer; seq: number; lists: number }>(
      `SELECT space, seq, lists FROM spaces WHERE ${mine}`,
      [member],
    );
  });
  for (const { space, seq, lists } of moved) {
    const id = spaceId(space.toString('hex'));
    channels.changed(id, lists);
    bus.publish(spaces, 'moved', id, { seq, lists });
  }
}

/** Members whose devices changed behind a count. */
export async function changedSince(
  store: SpacesStore,
  space: SpaceId,
  after: number,
): Promise<AccountId[]> {
  const rows = await store.rows<{ account: Buffer }>(
    'SELECT account FROM memberships WHERE space = ? AND lists > ?',
    [idBytes(space), after],
  );
  return rows.map(({ account }) => accountId(account.toString('hex')));
}
