/**
 * Another password, on the authority of the present one or of a backup code. It ends all other sessions
 * and whatever was on its way to a device: whoever had the old password may have one. docs/protocol/accounts.md §2
 */
import { timingSafeEqual } from 'node:crypto';
import { checkKdf } from '@island/protocol/crypto/password.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { eq } from 'drizzle-orm';
import { unixSeconds } from '../../kit/clock.ts';
import type { CallRequest } from '../../kit/contract.ts';
import type { accounts } from '../contract.ts';
import type { AccountsStore } from '../database.ts';
import { mustFindPerson, type Person } from '../people.ts';
import { joinings, people } from '../schema.ts';
import { endOthers, mustGoOn } from '../sessions/session-ends.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Nonces } from './nonces.ts';
import type { Passwords } from './passwords.ts';
import { type Seconds, type Weighed, weigh } from './second-factor.ts';

export interface PasswordChange extends Seconds {
  store: AccountsStore;
  nonces: Nonces;
  passwords: Passwords;
  sessions: Sessions;
}

type ChangeRequest = CallRequest<typeof accounts, 'changePassword'>;

/** The very same change again, after a lost answer, changes nothing. */
export async function changePassword(tools: PasswordChange, request: ChangeRequest): Promise<void> {
  const { store, clock, nonces, passwords, sessions, attempts } = tools;
  const { account, device, session, next, nonce, origin } = request;
  const asker = { account, device, session };
  checkKdf(next.kdf);
  nonces.check(nonce);
  const person = await mustFindPerson(store.read, account);
  await mustGoOn(store.read, asker, unixSeconds(clock));
  if (person.verifier === null) throw new Fault('forbidden');
  await attempts.admit('password', person.name, origin);
  if (isDone(passwords, person, next)) return;
  const authority = await judge(tools, person, request);
  const kept = await passwords.make(base64url(origin), account, next);
  const ended = await store.write(async (db) => {
    const now = unixSeconds(clock);
    await mustGoOn(db, asker, now);
    await nonces.spend(db, nonce);
    // Changed since it was looked at: then this is not the present password any more.
    const present = await mustFindPerson(db, account);
    if (present.verifier !== person.verifier) throw new Fault('wrong_credentials');
    await authority.take(db);
    await db
      .update(people)
      .set({ salt: Buffer.from(next.salt), ...next.kdf, ...kept })
      .where(eq(people.account, account));
    // Also those that are done: repeated, they would give a session once more.
    await db.delete(joinings).where(eq(joinings.account, account));
    return endOthers(db, asker, now);
  });
  sessions.announce(account, ended);
  await attempts.forgive('password', person.name, origin);
  await authority.forgive();
}

/** Throws `wrong_credentials` or what weighing a code throws. */
async function judge(
  tools: PasswordChange,
  person: Person,
  { authority, device, nonce, origin }: ChangeRequest,
): Promise<Weighed> {
  if ('code' in authority) return weigh(tools, person, authority, { origin, device });
  const { auth, proof } = authority;
  const claim = { nonce, name: person.name, device, auth };
  const right = await tools.passwords.check(base64url(origin), person, claim, proof);
  if (!right) throw new Fault('wrong_credentials');
  return { take: async () => undefined, forgive: async () => undefined };
}

/** Salt and key are new with each password, and the key is known only to who knows the password. */
function isDone(passwords: Passwords, person: Person, next: ChangeRequest['next']): boolean {
  const key = passwords.keyOf(person);
  if (key === undefined || person.salt === null) return false;
  return timingSafeEqual(key, next.key) && timingSafeEqual(person.salt, next.salt);
}
