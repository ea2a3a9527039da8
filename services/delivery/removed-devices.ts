/**
 * Mailboxes of devices that left the list of their account (A4): emptied and closed. What the
 * directory tells is acted on at once; because it may not be heard, every mailbox is looked at in
 * each round as well. docs/protocol/dm.md §8
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { failure, type Log } from '../kit/log.ts';
import { mailboxOf } from './boxes.ts';
import type { DeliveryStore } from './database.ts';
import type { Mailboxes } from './mailbox.ts';
import type { Recipients } from './recipients.ts';

export interface RemovedDevices {
  store: DeliveryStore;
  recipients: Pick<Recipients, 'present'>;
  mailboxes: Pick<Mailboxes, 'close'>;
}

/** @param epoch of a list that is known to be there; @returns how many mailboxes of the account were closed */
export async function closeRemoved(
  { store, recipients, mailboxes }: RemovedDevices,
  account: AccountId,
  epoch?: number,
): Promise<number> {
  const prefix = Buffer.from(account, 'hex');
  const rows = await store.rows<{ mailbox: Buffer }>(
    'SELECT mailbox FROM mailboxes WHERE mailbox BETWEEN ? AND ?',
    [Buffer.concat([prefix, Buffer.alloc(4)]), Buffer.concat([prefix, Buffer.alloc(4, 0xff)])],
  );
  if (rows.length === 0) return 0;
  const devices = await recipients.present(account, epoch);
  const kept = new Set([...devices].map((device) => mailboxOf(account, device).toString('hex')));
  const removed = rows.filter(({ mailbox }) => !kept.has(mailbox.toString('hex')));
  await Promise.all(removed.map(({ mailbox }) => mailboxes.close(mailbox)));
  return removed.length;
}

/** The same for every account that has a mailbox. Ends early when the directory is away: the next round goes on. */
export async function closeAllRemoved(parts: RemovedDevices): Promise<number> {
  const rows = await parts.store.rows<{ account: Buffer }>(
    'SELECT DISTINCT substr(mailbox, 1, 16) AS account FROM mailboxes',
  );
  let count = 0;
  for (const { account } of rows) {
    try {
      count += await closeRemoved(parts, accountId(account.toString('hex')));
    } catch (error) {
      if (error instanceof Fault && error.code === 'unavailable') return count;
      // The account was ended, and is let go of when accounts says so.
      if (error instanceof Fault && error.code === 'unknown_person') continue;
      throw error;
    }
  }
  return count;
}

/** Acts on what the directory tells. */
export function watchRemoved(bus: Bus, parts: RemovedDevices, log: Log): Disposable {
  return bus.subscribe(directory, 'changed', '*', ({ epoch }, key) => {
    closeRemoved(parts, accountId(key), epoch).catch((error: unknown) => {
      if (error instanceof Fault) log.warn('mailboxes_not_closed', failure(error));
      else log.error('mailboxes_not_closed', error);
    });
  });
}
