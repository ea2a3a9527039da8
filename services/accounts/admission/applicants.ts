/**
 * Applicants: who registered without an invite where the operator decides (mode `approval`). Their name
 * and their registration are kept; the very same registration, repeated, hears what was decided.
 * docs/protocol/accounts.md §1
 *
 *     waiting ─▶ admitted ─▶ active        waiting ─▶ refused ─▶ gone, after a day
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { and, asc, count, eq, inArray, lt } from 'drizzle-orm';
import type { CallAnswer } from '../../kit/contract.ts';
import { retentionDays } from '../../kit/retention.ts';
import type { accounts } from '../contract.ts';
import type { Database } from '../database.ts';
import type { Person } from '../people.ts';
import { people } from '../schema.ts';

/** Who waits at once: more of them are nobody whom an operator knows. */
const mostWaiting = 1000;
const day = 86_400;
/** Seconds for which an applicant waits, and somebody who was let in may come; for which a refusal stands. */
export const applicationSeconds = retentionDays.applicants * day;
export const refusalSeconds = retentionDays.refusals * day;

/** Throws `approval_pending` or `approval_refused` when that is how things stand with somebody. */
export function checkDecided({ state }: Pick<Person, 'state'>): void {
  if (state === 'waiting') throw new Fault('approval_pending');
  if (state === 'refused') throw new Fault('approval_refused');
}

/** Throws `rate_limited` when too many wait already. */
export async function checkRoom(db: Database): Promise<void> {
  const [row] = await db.select({ n: count() }).from(people).where(eq(people.state, 'waiting'));
  if ((row?.n ?? 0) >= mostWaiting) throw new Fault('rate_limited', { seconds: 3600 });
}

export const listApplicants = (
  db: Database,
): Promise<CallAnswer<typeof accounts, 'applicants'>['applicants']> =>
  db
    .select({ name: people.name, since: people.since })
    .from(people)
    .where(eq(people.state, 'waiting'))
    .orderBy(asc(people.since), asc(people.name));

/** An operator may change their mind until the person has joined. Throws `not_found`. */
export async function decide(
  db: Database,
  name: string,
  admitted: boolean,
  now: number,
): Promise<void> {
  const rows = await db
    .update(people)
    .set({ state: admitted ? 'admitted' : 'refused', since: now })
    .where(and(eq(people.name, name), inArray(people.state, ['waiting', 'admitted', 'refused'])))
    .returning({ account: people.account });
  if (rows.length === 0) throw new Fault('not_found');
}

/**
 * Drops whom nobody answered, and refusals; their names are free then. Who was let in and did not come
 * becomes `pending`, whom retention settles with the directory. @param now Unix seconds
 */
export async function forgetApplicants(db: Database, now: number): Promise<void> {
  const older = (state: 'waiting' | 'refused' | 'admitted', seconds: number) =>
    and(eq(people.state, state), lt(people.since, now - seconds));
  await db.delete(people).where(older('waiting', applicationSeconds));
  await db.delete(people).where(older('refused', refusalSeconds));
  await db.update(people).set({ state: 'pending' }).where(older('admitted', applicationSeconds));
}
