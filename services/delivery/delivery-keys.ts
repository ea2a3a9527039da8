/**
 * Delivery keys: who has the recipient's is let in at the price of a contact. The island knows only
 * their hashes, and whose they are. docs/protocol/tokens.md §8
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { deliveryEpochs } from '@island/protocol/wire/message-routes.ts';
import type { Statements } from '../kit/store-handle.ts';
import type { DeliveryStore } from './database.ts';
import { inGroups, marks } from './row-groups.ts';

export interface NextKey {
  account: AccountId;
  epoch: number;
  /** SHA-256 of the key. */
  hash: Uint8Array;
  /** Ends those before at once: somebody is to be kept out. */
  cut: boolean;
}

/** Keys before the present one that are good at once: so many changes within `limits.deliveryKeyDays`. */
const mostBefore = 8;

/**
 * Stores the next key. The same again changes nothing, but a `cut` still ends the ones before. It is a few steps
 * above the present one at most: otherwise one request with a stolen token would leave no number for the owner.
 * @param today days since 1970-01-01 UTC
 * @throws stale_delivery_key { epoch }
 */
export async function setDeliveryKey(
  store: DeliveryStore,
  { account, epoch, hash, cut }: NextKey,
  today: number,
): Promise<void> {
  const owner = Buffer.from(account, 'hex');
  await store.write(async (_db, sql) => {
    // Islands of before took any number.
    await sql.run('DELETE FROM delivery_keys WHERE account = ? AND epoch > ?', [
      owner,
      deliveryEpochs.most,
    ]);
    const [present] = await sql.rows<{ epoch: number; hash: Buffer }>(
      'SELECT epoch, hash FROM delivery_keys WHERE account = ? AND until IS NULL',
      [owner],
    );
    if (epoch > (present?.epoch ?? 0) + deliveryEpochs.step)
      throw new Fault('stale_delivery_key', { epoch: present?.epoch ?? 0 });
    const known = present !== undefined && present.epoch >= epoch;
    if (known && !(present.epoch === epoch && present.hash.equals(hash)))
      throw new Fault('stale_delivery_key', { epoch: present.epoch });
    if (!known) {
      await sql.run('UPDATE delivery_keys SET until = ? WHERE account = ? AND until IS NULL', [
        today + limits.deliveryKeyDays,
        owner,
      ]);
      await sql.run('INSERT INTO delivery_keys (account, epoch, hash) VALUES (?, ?, ?)', [
        owner,
        epoch,
        Buffer.from(hash),
      ]);
    }
    await sql.run(
      `DELETE FROM delivery_keys WHERE account = ? AND until IS NOT NULL AND epoch NOT IN
       (SELECT epoch FROM delivery_keys WHERE account = ? AND until IS NOT NULL ORDER BY epoch DESC LIMIT ?)`,
      [owner, owner, cut ? 0 : mostBefore],
    );
  });
}

export interface DeliveryKeys {
  /** Whether the key with this hash opens the account's mailboxes. */
  opens(account: AccountId, hash: Uint8Array): boolean;
}

/** As they are within a transaction: a key that was cut off before it opens nothing in it. */
export async function loadDeliveryKeys(
  accounts: readonly AccountId[],
  sql: Pick<Statements, 'rows'>,
  today: number,
): Promise<DeliveryKeys> {
  const hashes = new Map<string, Buffer[]>();
  const owners = [...new Set(accounts)].map((account) => Buffer.from(account, 'hex'));
  for (const group of inGroups(owners, true)) {
    const rows = await sql.rows<{ account: Buffer; hash: Buffer }>(
      `SELECT account, hash FROM delivery_keys
       WHERE account IN (${marks('?', group)}) AND (until IS NULL OR until >= ?)`,
      [...group, today],
    );
    for (const { account, hash } of rows) {
      const owner = account.toString('hex');
      hashes.set(owner, [...(hashes.get(owner) ?? []), hash]);
    }
  }
  return {
    opens: (account, hash) =>
      (hashes.get(account) ?? []).some((known) => timingSafeEqual(known, hash)),
  };
}

export const hashOfKey = (key: Uint8Array): Buffer => createHash('sha256').update(key).digest();
