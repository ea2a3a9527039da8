/** What the island knows of a person, told to themselves. docs/protocol/accounts.md §8 */
import { type Clock, unixSeconds } from '../kit/clock.ts';
import type { CallAnswer } from '../kit/contract.ts';
import type { accounts } from './contract.ts';
import type { AccountsStore } from './database.ts';
import { countCodes } from './devices/code-slots.ts';
import { recordVersion } from './devices/records.ts';
import { secondsToReset } from './devices/reset.ts';
import { mustFindPerson } from './people.ts';
import { type Asker, mustGoOn } from './sessions/session-ends.ts';

const day = 86_400;

export async function account(
  { store, clock }: { store: AccountsStore; clock: Clock },
  asker: Asker,
): Promise<CallAnswer<typeof accounts, 'account'>> {
  const db = store.read;
  const now = unixSeconds(clock);
  await mustGoOn(db, asker, now);
  const person = await mustFindPerson(db, asker.account);
  const { name, role, since, totpSecret, oidcSubject } = person;
  const reset = secondsToReset(person, now);
  return {
    name,
    role,
    since: Math.floor(since / day),
    totp: totpSecret !== null,
    oidc: oidcSubject !== null,
    codes: await countCodes(db, asker.account),
    record: await recordVersion(db, asker.account),
    ...(reset === undefined ? {} : { reset }),
  };
}
