/** What accounts forgets, and when. docs/protocol/accounts.md §8 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { accountId } from '@island/protocol/wire/ids.ts';
import type { Bus } from '../kit/bus.ts';
import { forgetApplicants } from './admission/applicants.ts';
import { forgetFlows } from './admission/grants.ts';
import { forgetInvites } from './admission/invites.ts';
import type { AccountsStore } from './database.ts';
import { devicesOf } from './devices/devices.ts';
import { forgetJoinings } from './devices/joinings.ts';
import { activate, forgetRegistrations, pendingBefore, release } from './people.ts';
import { forgetSessions } from './sessions/session-ends.ts';
import { forgetNonces } from './sign-in/nonces.ts';

/** Seconds after which a registration that nobody completed is settled. */
const pendingSeconds = 600;

/** @param now Unix seconds */
export async function forget(store: AccountsStore, bus: Bus, now: number): Promise<void> {
  await settle(store, bus, now);
  await store.write(async (db) => {
    await forgetRegistrations(db, now);
    await forgetApplicants(db, now);
    await forgetSessions(db, now);
    await forgetInvites(db, now);
    await forgetNonces(db, now);
    await forgetFlows(db, now);
    await forgetJoinings(db, now);
  });
}

/**
 * The leftovers of a crash between the two databases: whom the directory has is activated, for all
 * that was asked of that person is done; of the others, name and invite become free again.
 */
async function settle(store: AccountsStore, bus: Bus, now: number): Promise<void> {
  const before = now - pendingSeconds;
  for (const { account } of await pendingBefore(store.read, before)) {
    const id = accountId(account);
    const devices = await devicesOf(bus, id).catch(faultOnly);
    if (devices === undefined) return;
    await store.write(async (db) => {
      if (devices.length > 0) await activate(db, id);
      else await release(db, id, before);
    });
  }
}

/** The directory can't say now: the next round asks again. */
function faultOnly(error: unknown): undefined {
  if (!(error instanceof Fault)) throw error;
}
