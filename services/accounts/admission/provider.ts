/** Which organisation people may sign in with: one row at most, sealed. docs/protocol/accounts.md §9 */
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import * as v from 'valibot';
import type { Sealing } from '../../kit/sealing.ts';
import { accounts } from '../contract.ts';
import type { Database } from '../database.ts';
import { oidcFlows, policy } from '../schema.ts';
import type { Provider } from './organisation.ts';

const { provider: stored } = accounts.calls.setOidc.request.entries;
const place = { table: 'policy', column: 'oidc', row: '1' };

export async function readProvider(db: Database, sealing: Sealing): Promise<Provider | undefined> {
  const [row] = await db.select({ oidc: policy.oidc }).from(policy);
  if (row?.oidc == null) return undefined;
  const text = Buffer.from(sealing.open(place, row.oidc)).toString();
  return v.parse(stored, JSON.parse(text)) ?? undefined;
}

/** Sign-ins with another organisation that are under way come to nothing, and so do its grants. */
export async function setProvider(
  db: Database,
  sealing: Sealing,
  provider: Provider | null,
): Promise<void> {
  await db.delete(oidcFlows);
  const oidc = provider === null ? null : sealing.seal(place, utf8Bytes(JSON.stringify(provider)));
  await db.update(policy).set({ oidc });
}
