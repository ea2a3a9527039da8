/**
 * Accounts that were ended: mailboxes with what waits in them, ids of what came, delivery keys, and how many tokens
 * they got. docs/protocol/accounts.md §10
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import type { DeliveryStore } from './database.ts';
import type { Mailboxes } from './mailbox.ts';
import type { Recipients } from './recipients.ts';
import { holderOf } from './tokens/issue.ts';

export interface EndedAccounts {
  store: DeliveryStore;
  recipients: Pick<Recipients, 'end'>;
  mailboxes: Pick<Mailboxes, 'close'>;
  /** 32 bytes: keys the hash of accounts. */
  secret: Uint8Array;
}

/** The same again changes nothing. The directory has ended the account before: nothing new is let in. */
export async function endAccount(
  { store, recipients, mailboxes, secret }: EndedAccounts,
  account: AccountId,
): Promise<void> {
  recipients.end(account);
  const owner = Buffer.from(account, 'hex');
  const span = [
    Buffer.concat([owner, Buffer.alloc(4)]),
    Buffer.concat([owner, Buffer.alloc(4, 0xff)]),
  ];
  const rows = await store.rows<{ mailbox: Buffer }>(
    'SELECT mailbox FROM mailboxes WHERE mailbox BETWEEN ? AND ?',
    span,
  );
  await Promise.all(rows.map(({ mailbox }) => mailboxes.close(mailbox)));
  await store.write(async (_db, sql) => {
    // Nobody repeats a message to somebody who is not there.
    await sql.run('DELETE FROM accepted WHERE mailbox BETWEEN ? AND ?', span);
    await sql.run('DELETE FROM delivery_keys WHERE account = ?', [owner]);
    await sql.run('DELETE FROM issued WHERE holder = ?', [holderOf(secret, account)]);
  });
  // No copy of what was deleted stays in the write-ahead log.
  await store.rows('PRAGMA wal_checkpoint(TRUNCATE)');
}
