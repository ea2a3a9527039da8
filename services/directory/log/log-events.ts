/**
 * What happened to labels, in order: stored in the transaction that stores a list or a name, and taken into the log
 * by the next epoch. docs/protocol/transparency.md §6
 */
import { randomBytes } from 'node:crypto';
import { listFlags } from '@island/protocol/crypto/account-state.ts';
import type { DeviceList } from '@island/protocol/crypto/device-list.ts';
import { accountLabel, nameLabel } from '@island/protocol/transparency/label.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import type { Statements } from '../../kit/store-handle.ts';

/** A new epoch of a list: the event's version is the epoch, its state the list itself. */
export const addListEvent = (sql: Statements, { account, epoch, flags }: DeviceList) =>
  addEvent(sql, { label: accountLabel(account), version: epoch, flags, state: null });

/** A name that was free leads to an account from now on. */
export const addNameEvent = (sql: Statements, name: string, account: AccountId) =>
  addEvent(sql, {
    label: nameLabel(name),
    version: 1,
    flags: listFlags.register,
    state: fromHex(account),
  });

interface NewEvent {
  label: Uint8Array;
  version: number;
  flags: number;
  state: Uint8Array | null;
}

async function addEvent(sql: Statements, event: NewEvent): Promise<void> {
  const { label, version, flags, state } = event;
  await sql.run('INSERT INTO log_labels (label) VALUES (?) ON CONFLICT DO NOTHING', [label]);
  await sql.run(
    `INSERT INTO log_events (label, version, flags, opening, state)
     SELECT id, ?, ?, ?, ? FROM log_labels WHERE label = ?`,
    [version, flags, randomBytes(16), state, label],
  );
}
