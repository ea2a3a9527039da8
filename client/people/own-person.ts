/** Our own account as a recipient: what is sent here goes to our other devices, too. docs/protocol/dm.md §8 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { accountKey, decodeAccount } from '../account/account.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Person } from './people.ts';

export interface OwnPerson {
  /** As this home has accepted it. */
  present(): Promise<Person>;
  /** After following what other devices changed. Throws what `adoptOwnAccount` throws. */
  refresh(signal?: AbortSignal): Promise<Person>;
}

export function openOwnPerson(
  storage: Storage,
  renew: (signal?: AbortSignal) => Promise<unknown>,
): OwnPerson {
  /** Opening a list verifies signatures: once for each version of the row. */
  let opened: { version: number; person: Person } | undefined;

  async function present(): Promise<Person> {
    const row = await storage.read(accountKey.namespace, accountKey.key);
    if (!row) throw new Problem('not_registered', { home: storage.place });
    if (opened?.version !== row.version) {
      const { name, account, list } = decodeAccount(row);
      opened = { version: row.version, person: { name, account, list: openDeviceList(list) } };
    }
    return opened.person;
  }

  return {
    present,
    async refresh(signal) {
      await renew(signal);
      return present();
    },
  };
}
