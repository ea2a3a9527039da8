/** Six-digit sign-in is begun, confirmed and ended by somebody who is signed in. docs/protocol/accounts.md §5 */
import { timingSafeEqual } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { eq } from 'drizzle-orm';
import { unixSeconds } from '../../kit/clock.ts';
import type { CallRequest } from '../../kit/contract.ts';
import type { accounts } from '../contract.ts';
import type { AccountsStore } from '../database.ts';
import { mustFindPerson } from '../people.ts';
import { people } from '../schema.ts';
import { type Asker, mustGoOn } from '../sessions/session-ends.ts';
import { type Seconds, weigh } from './second-factor.ts';
import { base32, makeSecret, stepOf, totpPlace } from './totp.ts';

export interface TotpTools extends Seconds {
  store: AccountsStore;
}

/** A new secret, base32, that counts from `confirmTotp` on. Begun again it is another one. */
export async function beginTotp(
  { store, clock, sealing }: TotpTools,
  asker: Asker,
): Promise<{ secret: string }> {
  const secret = makeSecret();
  const totpPending = sealing.seal(totpPlace('totp_pending', asker.account), secret);
  await store.write(async (db) => {
    await mustGoOn(db, asker, unixSeconds(clock));
    const person = await mustFindPerson(db, asker.account);
    if (person.totpSecret !== null) throw new Fault('totp_active');
    await db.update(people).set({ totpPending }).where(eq(people.account, asker.account));
  });
  return { secret: base32(secret) };
}

/** The person has shown that the authenticator works: from now on it is asked for. The step is used up by that. */
export async function confirmTotp(
  { store, clock, attempts, sealing }: TotpTools,
  { totp, origin, ...asker }: CallRequest<typeof accounts, 'totpConfirm'>,
): Promise<void> {
  const { account } = asker;
  const now = unixSeconds(clock);
  const { name, totpPending, totpSecret } = await mustFindPerson(store.read, account);
  if (totpSecret !== null) throw new Fault('totp_active');
  if (totpPending === null) throw new Fault('totp_inactive');
  await attempts.admit('totp', name, origin);
  const secret = sealing.open(totpPlace('totp_pending', account), totpPending);
  const step = stepOf(secret, totp, now);
  if (step === undefined) throw new Fault('wrong_totp');
  const sealed = sealing.seal(totpPlace('totp_secret', account), secret);
  await store.write(async (db) => {
    await mustGoOn(db, asker, now);
    const person = await mustFindPerson(db, account);
    if (person.totpSecret !== null) throw new Fault('totp_active');
    const same = person.totpPending !== null && equal(person.totpPending, totpPending);
    if (!same) throw new Fault('wrong_totp');
    await db
      .update(people)
      .set({ totpSecret: sealed, totpPending: null, totpStep: step })
      .where(eq(people.account, account));
  });
  await attempts.forgive('totp', name, origin);
}

const equal = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);

/** Six digits or a backup code end it. */
export async function endTotp(
  tools: TotpTools,
  { second, origin, ...asker }: CallRequest<typeof accounts, 'totpEnd'>,
): Promise<void> {
  const { store, clock } = tools;
  const person = await mustFindPerson(store.read, asker.account);
  if (person.totpSecret === null) throw new Fault('totp_inactive');
  await mustGoOn(store.read, asker, unixSeconds(clock));
  const weighed = await weigh(tools, person, second, { origin, device: asker.device });
  await store.write(async (db) => {
    await mustGoOn(db, asker, unixSeconds(clock));
    await weighed.take(db);
    await db
      .update(people)
      .set({ totpSecret: null, totpPending: null })
      .where(eq(people.account, asker.account));
  });
  await weighed.forgive();
}
