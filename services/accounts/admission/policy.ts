/**
 * Who may join. docs/protocol/accounts.md §1
 *
 *     mode       without anything       with an invite          with a grant of the organisation
 *     closed     registration_closed    registration_closed     registration_closed
 *     invite     invite_needed          at once                 at once
 *     approval   the operator decides   at once                 at once
 *     open       at once                at once                 at once
 *
 * An invite that is given must be good, whatever the mode, and gives the role.
 */
import type { RegistrationMode, Role } from '@island/protocol/wire/account-routes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { eq } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { people, policy } from '../schema.ts';
import { checkRoom } from './applicants.ts';
import { spendGrant, subjectOf } from './grants.ts';
import { checkInvite, inviteHash, takeInvite } from './invites.ts';

/** What somebody brings who wants to join. */
export interface Ticket {
  invite?: string | undefined;
  grant?: Uint8Array | undefined;
}

/** What the row of a person begins with. */
export interface Admission {
  state: 'pending' | 'waiting';
  role: Role;
  invite: Buffer | null;
  oidcSubject: Buffer | null;
}

export async function registrationMode(db: Database): Promise<RegistrationMode> {
  const [row] = await db.select({ registration: policy.registration }).from(policy);
  return row?.registration ?? 'closed';
}

/** Those who wait go on waiting, and who was let in may still come. */
export async function setRegistration(db: Database, registration: RegistrationMode): Promise<void> {
  await db.update(policy).set({ registration });
}

/**
 * Looks without taking anything, before the island spends a hash on somebody: throws what `admit` would.
 * Only for accounts that are not there yet: a repetition has been admitted before.
 */
export async function checkAdmission(db: Database, ticket: Ticket, now: number): Promise<void> {
  const { waits } = await weigh(db, ticket, now);
  if (waits) await checkRoom(db);
  if (ticket.grant === undefined) return;
  const subject = await subjectOf(db, ticket.grant, now);
  if (subject === undefined) throw new Fault('wrong_credentials');
  await checkSubjectFree(db, subject);
}

/**
 * Takes what was brought: one use of the invite, the grant. Belongs into the transaction that reserves the name.
 * Throws `registration_closed`, `invite_needed`, `invite_invalid`, `invite_used`, `invite_expired`,
 * `wrong_credentials` for a grant that is not good, `account_exists` when the organisation's person has an
 * account already, `rate_limited` when too many wait for the operator.
 */
export async function admit(db: Database, ticket: Ticket, now: number): Promise<Admission> {
  const { waits } = await weigh(db, ticket, now);
  if (waits) await checkRoom(db);
  const invite = ticket.invite === undefined ? null : inviteHash(ticket.invite);
  const role = invite === null ? 'member' : await takeInvite(db, invite, now);
  const oidcSubject = ticket.grant === undefined ? null : await spendGrant(db, ticket.grant, now);
  if (oidcSubject !== null) await checkSubjectFree(db, oidcSubject);
  return { state: waits ? 'waiting' : 'pending', role, invite, oidcSubject };
}

async function weigh(
  db: Database,
  { invite, grant }: Ticket,
  now: number,
): Promise<{ waits: boolean }> {
  const mode = await registrationMode(db);
  if (mode === 'closed') throw new Fault('registration_closed');
  if (invite !== undefined) await checkInvite(db, inviteHash(invite), now);
  const nothing = invite === undefined && grant === undefined;
  if (nothing && mode === 'invite') throw new Fault('invite_needed');
  return { waits: nothing && mode === 'approval' };
}

async function checkSubjectFree(db: Database, subject: Buffer): Promise<void> {
  const rows = await db
    .select({ account: people.account })
    .from(people)
    .where(eq(people.oidcSubject, subject));
  if (rows.length > 0) throw new Fault('account_exists');
}
