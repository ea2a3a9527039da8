/** Who is in which space, by account: what is looked up without reading logs. */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { idBytes, type SpacesStore } from './database.ts';

/** An account that has ended is led to nowhere, and is on no list of the operator's. */
export async function forgetMember(store: SpacesStore, account: AccountId): Promise<void> {
  const member = idBytes(account);
  await store.write(async (_db, sql) => {
    await sql.run('DELETE FROM memberships WHERE account = ?', [member]);
    await sql.run('DELETE FROM listed WHERE account = ?', [member]);
  });
}
