/**
 * The invite of an island's first person, who will be its admin: made once, and kept in the vault until used, so
 * that each start can print it. docs/operations.md §8
 */
import { accounts } from '../accounts/contract.ts';
import type { Bus } from '../kit/bus.ts';
import type { VaultSecrets } from '../kit/vault-secrets.ts';
import type { ControlStore } from './database.ts';

/** Thirty days. */
const seconds = 2_592_000;

/** Among the vault's secrets; earlier versions had a file of that name. */
export const firstInviteName = 'first-invite';

/** The unused first invite; a new one when it expired before anybody came; `undefined` once somebody has. */
export async function showFirstInvite(parts: {
  bus: Bus;
  store: ControlStore;
  secrets: VaultSecrets;
}): Promise<string | undefined> {
  const { bus, store, secrets } = parts;
  const kept = (await secrets.get(firstInviteName))?.toString().trim();
  const standing = await bus.call(accounts, 'standing', kept === undefined ? {} : { invite: kept });
  if (kept !== undefined && standing.inviteGood) return kept;
  if (standing.people > 0) {
    await store.write((_db, sql) => secrets.delete(sql, firstInviteName));
    return undefined;
  }
  const { invite } = await bus.call(accounts, 'invite', { uses: 1, seconds, role: 'admin' });
  await store.write((_db, sql) => secrets.put(sql, firstInviteName, Buffer.from(invite)));
  return invite;
}
