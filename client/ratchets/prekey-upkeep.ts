/**
 * Keeps enough good prekeys on the island, for as long as this process holds the inbox.
 * docs/protocol/prekeys.md §4
 *
 * What is made is committed before it is published, and published again after a lost answer: to the
 * island the same bytes are the same prekeys. Refills come at random times, so that they do not tell
 * when somebody used a prekey (Prekey Pogo).
 */
import { dayOf } from '@island/protocol/crypto/device.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import { backoff, pause } from '../backoff.ts';
import { Problem, willPass } from '../problem.ts';
import { forgetSeen } from '../receiving/envelopes.ts';
import type { Session } from '../sign-in/session.ts';
import type { Storage } from '../storage/storage.ts';
import {
  forgetPrekeys,
  makePrekeys,
  type PrekeyBox,
  readStanding,
  replacedRows,
  type Standing,
  standingRow,
} from './prekeys.ts';

export interface Upkeep {
  account: Account;
  storage: Storage;
  session: Session;
  /** Unix milliseconds. */
  now: () => number;
}

/** Milliseconds: the first look comes within one, each later one within the other. */
const firstLook = 20_000;
const laterLook = 6 * 3_600_000;

export async function keepPrekeys(
  upkeep: Upkeep,
  box: PrekeyBox,
  signal: AbortSignal,
): Promise<void> {
  await pause(Math.random() * firstLook, signal);
  for (let attempt = 0; !signal.aborted; ) {
    try {
      await tendPrekeys(upkeep, box, signal);
      attempt = 0;
      await pause(laterLook / 2 + (Math.random() * laterLook) / 2, signal);
    } catch (error) {
      if (signal.aborted || (error instanceof Problem && error.code === 'signed_out')) return;
      // Whatever else is wrong shows where messages are sent and received; here there is time.
      await pause(willPass(error) ? backoff(attempt++) * 10 : laterLook / 6, signal);
    }
  }
}

/** One look: forgets what has aged, replaces what is due, refills what runs low. */
export async function tendPrekeys(
  upkeep: Upkeep,
  box: PrekeyBox,
  signal?: AbortSignal,
): Promise<void> {
  const { storage, session, now, account } = upkeep;
  await forgetPrekeys(storage, box, now());
  await forgetSeen(storage, now());
  await publish(upkeep, signal);
  const held = await readStanding(storage);
  if (!held) return;
  const { oneTime } = await session.call('prekeyCount', {}, signal ? { signal } : {});
  const newest = box.present('signed').at(-1);
  const renew = held.value.renew === true;
  const due = renew || !newest || dayOf(now()) >= newest.createdDay + limits.prekeyRotationDays;
  const low = renew || oneTime < limits.batchLow;
  if (!due && !low) return;
  const made = makePrekeys(account.dsk, now(), { standing: due, batch: low }, held.value.next);
  const { signedPrekey, lastResort, batch } = made;
  const unpublished: Standing['publish'] = {
    ...(signedPrekey && { signedPrekey: base64url(signedPrekey) }),
    ...(lastResort && { lastResort: base64url(lastResort) }),
    ...(batch && { batch: base64url(batch) }),
  };
  const rows = [...(due ? replacedRows(box, now()) : []), ...made.rows];
  const standing = standingRow({ next: made.next, publish: unpublished });
  const { namespace, key } = standing;
  await storage.commit({
    put: [...rows, standing],
    expect: [{ namespace, key, version: held.row.version }],
  });
  box.adopt(rows);
  await publish(upkeep, signal);
}

/** Publishes what was made and not yet confirmed. */
async function publish({ storage, session }: Upkeep, signal?: AbortSignal): Promise<void> {
  const held = await readStanding(storage);
  if (!held?.value.publish) return;
  try {
    await session.call('replenish', definite(held.value.publish), signal ? { signal } : {});
  } catch (error) {
    // Refused for good: the next look makes others. Whatever may pass is tried again with the same.
    if (!(error instanceof Fault) || willPass(error)) throw error;
  }
  await storage.commit({ put: [standingRow({ next: held.value.next })] });
}

const definite = ({ signedPrekey, lastResort, batch }: NonNullable<Standing['publish']>) => ({
  ...(signedPrekey !== undefined && { signedPrekey }),
  ...(lastResort !== undefined && { lastResort }),
  ...(batch !== undefined && { batch }),
});
