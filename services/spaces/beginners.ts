/** Who may begin a space: the operator says. docs/operations.md */
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import type { Statements } from '../kit/store-handle.ts';
import type { beginners } from './contract.ts';
import { idBytes, type SpacesStore } from './database.ts';

export type Beginners = (typeof beginners)[number];

export interface BeginningPolicy {
  beginners: Beginners;
  listed: AccountId[];
}

const policyQuery = 'SELECT beginners FROM beginning';

export async function mayBegin(
  sql: Pick<Statements, 'rows'>,
  account: AccountId,
): Promise<boolean> {
  const [row] = await sql.rows<{ beginners: Beginners }>(policyQuery);
  if (row?.beginners !== 'listed') return row?.beginners === 'everybody';
  const [found] = await sql.rows('SELECT 1 AS one FROM listed WHERE account = ?', [
    idBytes(account),
  ]);
  return found !== undefined;
}

export async function readPolicy(store: SpacesStore): Promise<BeginningPolicy> {
  const [row] = await store.rows<{ beginners: Beginners }>(policyQuery);
  if (row === undefined) throw new Fault('internal');
  const listed = await store.rows<{ account: Buffer }>('SELECT account FROM listed');
  const ids = listed.map(({ account }) => accountId(account.toString('hex')));
  return { beginners: row.beginners, listed: ids };
}

export async function writePolicy(store: SpacesStore, policy: BeginningPolicy): Promise<void> {
  await store.write(async (_db, sql) => {
    await sql.run('UPDATE beginning SET beginners = ?', [policy.beginners]);
    await sql.run('DELETE FROM listed');
    for (const account of new Set(policy.listed))
      await sql.run('INSERT INTO listed (account) VALUES (?)', [idBytes(account)]);
  });
}
