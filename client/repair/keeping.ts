/**
 * Asks for what did not open, gives up what does not come, and forgets what nobody can ask for any more.
 * docs/protocol/ratchet.md §9.2
 *
 * One question is one commit: the row that says when, and the messages in the outbox. What limits the next
 * one is on the disk before this one leaves.
 */

import { bodyLimits } from '@island/protocol/crypto/body-fields.ts';
import { encodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { type DeviceKey, deviceKey } from '@island/protocol/wire/ids.ts';
import type { Account } from '../account/account.ts';
import { pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { isAccepted, isBlocked, readContact } from '../people/contacts.ts';
import type { OwnPerson } from '../people/own-person.ts';
import type { People } from '../people/people.ts';
import { repairRow } from '../sending/outbox.ts';
import { type Append, type Place, type Storage, untilCommitted } from '../storage/storage.ts';
import { settleFailures } from './failures.ts';
import { lately, repairLimits } from './repair-limits.ts';
import {
  forgetAnswers,
  nextQuestion,
  type Repair,
  type RepairChanges,
  repairChanges,
} from './repairs.ts';
import { forgetSent } from './sent-log.ts';

export interface KeepingRepairs {
  account: Pick<Account, 'name' | 'account'>;
  storage: Storage;
  people: People;
  own: OwnPerson;
  /** Unix milliseconds. */
  now: () => number;
}

/** Milliseconds: after a look, the longest until the next, and between two looks at what was sent. */
const rest = 200;
const longestLook = 60_000;
const forgetAfter = 3_600_000;

/** Until aborted. */
export async function keepRepairs(keeping: KeepingRepairs, signal: AbortSignal): Promise<void> {
  using changed = createBell(signal);
  using _watch = keeping.storage.watch(changed.ring);
  for (let forgot = Number.NEGATIVE_INFINITY; !signal.aborted; ) {
    const next = await tendRepairs(keeping);
    if (performance.now() - forgot > forgetAfter) {
      await forgetSent(keeping.storage, keeping.now());
      await untilCommitted(() => forgetAnswers(keeping.storage, keeping.now()));
      forgot = performance.now();
    }
    await changed.next(Math.min(Math.max(next - keeping.now(), 0) + 1, longestLook));
    await pause(rest, signal);
  }
}

/** One look; answers when the next thing is due, Unix milliseconds. */
export const tendRepairs = (keeping: KeepingRepairs): Promise<number> =>
  untilCommitted(async () => {
    const repairs = repairChanges(keeping.storage);
    const append: Append[] = [];
    const remove: Place[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [key, repair] of await repairs.all()) {
      const due = await tend({ ...keeping, repairs, append, remove }, key, repair);
      next = Math.min(next, due);
    }
    const rows = repairs.rows();
    if (rows.expect.length > 0)
      await keeping.storage.commit({ ...rows, append, remove: [...remove, ...rows.remove] });
    return next;
  });

interface Tending extends KeepingRepairs {
  repairs: RepairChanges;
  append: Append[];
  remove: Place[];
}

async function tend(tending: Tending, key: DeviceKey, before: Repair): Promise<number> {
  const { repairs } = tending;
  const now = tending.now();
  const contact = await readContact(tending.storage, before.account);
  // Of whom nothing is shown it is not shown either that something is missed.
  if (isBlocked(contact) && before.failed.length > 0) {
    await repairs.change(key, { ...before, more: 0 });
    await settleFailures(tending, key, () => 'recovered');
  }
  const isOurs = before.account === tending.account.account;
  const gone = !(isOurs || isAccepted(contact)) || !(await isListed(tending, before));
  const isOver = (at: number): boolean => gone || at + repairLimits.patience <= now;
  if (before.failed.some(({ at }) => isOver(at)))
    await settleFailures(tending, key, ({ at }) => (isOver(at) ? 'lost' : undefined));
  const repair = (await repairs.all()).get(key) ?? before;
  const question = nextQuestion(repair, now);
  if (!question) {
    const [last] = lately(repair.asked, now).slice(-1);
    if (last !== undefined) return last + repairLimits.sentFor;
    await repairs.change(key, undefined);
    return Number.POSITIVE_INFINITY;
  }
  const oldest = Math.min(...repair.failed.map(({ at }) => at)) + repairLimits.patience;
  if (question.at > now) return Math.min(question.at, oldest);
  await ask(tending, key, repair, question.supplement);
  return now;
}

async function isListed({ account, people, own }: Tending, repair: Repair): Promise<boolean> {
  const person =
    repair.account === account.account ? await own.present() : await people.known(repair.account);
  return person?.list.devices.some(({ device }) => device === repair.device) ?? false;
}

/** Names failures to the device: all of them in a new session, or in the present one those not named yet. */
async function ask(
  { repairs, append, now }: Tending,
  key: DeviceKey,
  repair: Repair,
  supplement: boolean,
): Promise<void> {
  const at = now();
  const named = repair.failed
    .filter(({ asked }) => !supplement || !asked)
    .slice(0, repairLimits.bodies * bodyLimits.batch);
  const { session, works, device: only, name } = repair;
  for (let from = 0; from < named.length; from += bodyLimits.batch) {
    const failed = named.slice(from, from + bodyLimits.batch).map(({ hash }) => hash);
    const body = { kind: 'resync', session, failed } as const;
    const plaintext = encodePlaintext({ id: randomBytes(16), sentAt: at, body });
    const begins = { replaces: session, ...(works && { works }) };
    const first = from === 0 && !supplement;
    append.push(repairRow(name, { only, ...(first && { begins }) }, plaintext));
  }
  await repairs.change(key, {
    ...repair,
    state: supplement ? repair.state : 'resync',
    failed: repair.failed.map((each) => (named.includes(each) ? { ...each, asked: true } : each)),
    asked: supplement ? repair.asked : [...lately(repair.asked, at), at],
    supplements: supplement ? repair.supplements + 1 : 0,
  });
}

/** For tests and for programs that show it: the state of each device that is, or lately was, under repair. */
export async function repairStates(storage: Storage): Promise<Map<DeviceKey, Repair['state']>> {
  const all = await repairChanges(storage).all();
  return new Map(
    [...all.values()].map((repair) => [deviceKey(repair.account, repair.device), repair.state]),
  );
}
