/**
 * Grants: what the organisation's yes is worth here. 32 random bytes, good once, for
 * `limits.oidcSeconds`; they come from a sign-in with the organisation (oidc.ts) and stand for who the
 * organisation says that it was. docs/protocol/accounts.md §9
 */
import { createHash } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { and, eq, gt, lt } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { oidcFlows } from '../schema.ts';

export const grantHash = (grant: Uint8Array): Buffer => createHash('sha256').update(grant).digest();

const granted = (grant: Uint8Array, now: number) =>
  and(
    eq(oidcFlows.grantHash, grantHash(grant)),
    eq(oidcFlows.stage, 'granted'),
    gt(oidcFlows.expires, now),
  );

/** Keyed hash of who it is for, as `people.oidcSubject` has it; undefined for a grant that is not good. Takes nothing. */
export async function subjectOf(
  db: Database,
  grant: Uint8Array,
  now: number,
): Promise<Buffer | undefined> {
  const [flow] = await db
    .select({ subject: oidcFlows.subject })
    .from(oidcFlows)
    .where(granted(grant, now));
  return flow?.subject ?? undefined;
}

/**
 * The same, and the grant is used up: belongs into the transaction that gives what it was shown for,
 * so that of any number of uses at once one is the first. Throws `wrong_credentials`.
 */
export async function spendGrant(db: Database, grant: Uint8Array, now: number): Promise<Buffer> {
  const [flow] = await db
    .delete(oidcFlows)
    .where(granted(grant, now))
    .returning({ subject: oidcFlows.subject });
  if (flow?.subject == null) throw new Fault('wrong_credentials');
  return flow.subject;
}

/** Sign-ins that took too long, and grants that nobody used. @param now Unix seconds */
export async function forgetFlows(db: Database, now: number): Promise<void> {
  await db.delete(oidcFlows).where(lt(oidcFlows.expires, now));
}
