/**
 * Who asks by a session asks about their own name; others are asked about with tokens (docs/protocol/tokens.md §9).
 * A session that asks about others gets answers all the same, and so few that nobody reads an island's people by it.
 * docs/protocol/http.md §4
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Quotas } from '../kit/quotas.ts';
import type { DirectoryStore } from './database.ts';

const hour = 3600;

/** `asker`: of the session; nobody who paid with a token has one. Throws `rate_limited`. */
export async function countQuestion(
  { store, quotas }: { store: DirectoryStore; quotas: Quotas },
  { name, asker }: { name: string; asker?: AccountId | undefined },
): Promise<void> {
  if (asker === undefined) return;
  const [row] = await store.rows('SELECT account FROM names WHERE name = ?', [name]);
  if (row?.['account'] === asker) return;
  await quotas.count(`asks:${asker}`, limits.otherLookupsPerHour, hour);
}
