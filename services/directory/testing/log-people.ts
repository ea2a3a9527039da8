/** People in the tables of a directory, as far as its log looks at them: lists are bytes that nobody opens. For tests. */
import { randomBytes } from 'node:crypto';
import { listFlags } from '@island/protocol/crypto/account-state.ts';
import type { DeviceList } from '@island/protocol/crypto/device-list.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import type { Statements } from '../../kit/store-handle.ts';
import { addListEvent, addNameEvent } from '../log/log-events.ts';

const hash = Buffer.alloc(32, 7);

/** Somebody new, with a first list. */
export async function addPerson(sql: Statements, name: string): Promise<AccountId> {
  const account = accountId(randomBytes(16).toString('hex'));
  await sql.run('INSERT INTO enrolments (account, hash) VALUES (?, ?)', [account, hash]);
  await sql.run('INSERT INTO names (name, account) VALUES (?, ?)', [name, account]);
  await addList(sql, account, 1);
  await addNameEvent(sql, name, account);
  return account;
}

export async function addList(sql: Statements, account: AccountId, epoch: number): Promise<void> {
  const flags = epoch === 1 ? listFlags.register : listFlags.update;
  await sql.run('INSERT INTO lists (account, epoch, bytes, hash) VALUES (?, ?, ?, ?)', [
    ...[account, epoch, randomBytes(400), hash],
  ]);
  await addListEvent(sql, { account, epoch, flags } as DeviceList);
}
