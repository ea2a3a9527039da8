/**
 * What is known of the repair of each peer device: rows, and changes of them for one commit.
 * docs/protocol/ratchet.md §9.2
 *
 *     ok ──failure──▶ suspect ──asked──▶ resync ──something opened in another session──▶ resend ──all settled──▶ ok
 *
 * Invariant: a row changes in the commit that does what it says: the time of a question is on the disk before
 * the question can leave, whatever dies in between (matrix-js-sdk#3549).
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import type { AccountId, DeviceKey } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Place, Put, Row, Storage } from '../storage/storage.ts';
import { lately, repairLimits } from './repair-limits.ts';

const failure = v.strictObject({
  /** SHA-256 of the session message. */
  hash: bytes64,
  /** Unix milliseconds. */
  at: v.number(),
  /** It was named to its sender. */
  asked: v.optional(v.literal(true)),
  /** The message that it was, as its sender says: 32 hex digits. */
  id: v.optional(v.string()),
});
export type Failure = v.InferOutput<typeof failure>;

const record = v.strictObject({
  account: s.account,
  device: s.device,
  /** The person's name; our own for our other devices. */
  name: v.string(),
  state: v.picklist(['ok', 'suspect', 'resync', 'resend']),
  /** The session that failed last. */
  session: bytes64,
  /** Another one, in which something opened since. */
  works: v.optional(bytes64),
  failed: v.array(failure),
  /** Failures beyond those that are asked about. */
  more: v.number(),
  /** When it was asked, Unix milliseconds, ascending. */
  asked: v.array(v.number()),
  /** Further questions since the last of these. */
  supplements: v.number(),
  /** Until then it is waited for further failures. */
  quiet: v.number(),
});
export type Repair = v.InferOutput<typeof record>;

const answered = v.strictObject({ times: v.array(v.number()) });

const namespace = 'repairs';
const answers = 'repair-answers';

interface Held<T> {
  value: T | undefined;
  version: number;
  changed: boolean;
}

export interface RepairChanges {
  /** All, with what this commit has changed. */
  all(): Promise<Map<DeviceKey, Repair>>;
  change(device: DeviceKey, next: Repair | undefined): Promise<void>;
  /** Whether one more resync of this device is answered; counts it, for the device and for its account. */
  mayAnswer(device: DeviceKey, account: AccountId, now: number): Promise<boolean>;
  rows(): { put: Put[]; remove: Place[]; expect: (Place & { version: number })[] };
}

export function repairChanges(storage: Storage): RepairChanges {
  let listed: Promise<Map<DeviceKey, Held<Repair>>> | undefined;
  const told = new Map<DeviceKey | AccountId, Held<number[]>>();

  async function list(): Promise<Map<DeviceKey, Held<Repair>>> {
    const rows = await storage.list(namespace);
    return new Map(
      rows.map((row) => [
        row.key as DeviceKey,
        { value: decodeRecord(record, row), version: row.version, changed: false },
      ]),
    );
  }
  const held = () => {
    listed ??= list();
    return listed;
  };
  let settled = new Map<DeviceKey, Held<Repair>>();

  async function answeredTo(
    whose: DeviceKey | AccountId,
    now: number,
  ): Promise<Held<number[]> & { value: number[] }> {
    const here = told.get(whose);
    if (here) return { ...here, value: here.value ?? [] };
    const row = await storage.read(answers, whose);
    const value = row ? lately(decodeRecord(answered, row).times, now) : [];
    return { value, version: row?.version ?? 0, changed: false };
  }

  return {
    async all() {
      const present = new Map<DeviceKey, Repair>();
      for (const [key, { value }] of await held()) if (value) present.set(key, value);
      return present;
    },
    async change(device, next) {
      const here = await held();
      settled = here;
      const version = here.get(device)?.version ?? 0;
      here.set(device, { value: next, version, changed: true });
    },
    async mayAnswer(device, account, now) {
      const { answersPerDay, answersPerAccount } = repairLimits;
      const ofDevice = await answeredTo(device, now);
      const ofAccount = await answeredTo(account, now);
      const [byDevice = [], byAccount = []] = [ofDevice.value, ofAccount.value];
      if (byDevice.length >= answersPerDay || byAccount.length >= answersPerAccount) return false;
      told.set(device, { ...ofDevice, value: [...byDevice, now], changed: true });
      told.set(account, { ...ofAccount, value: [...byAccount, now], changed: true });
      return true;
    },
    rows() {
      const put: Put[] = [];
      const remove: Place[] = [];
      const expect: (Place & { version: number })[] = [];
      for (const [key, { value, version, changed }] of settled) {
        if (!changed) continue;
        expect.push({ namespace, key, version });
        if (value) put.push({ namespace, key, bytes: encodeRecord(value) });
        else remove.push({ namespace, key });
      }
      for (const [key, { value, version, changed }] of told) {
        if (!changed) continue;
        expect.push({ namespace: answers, key, version });
        put.push({ namespace: answers, key, bytes: encodeRecord({ times: value }) });
      }
      return { put, remove, expect };
    },
  };
}

/** Counts of answers that limit nothing any more are forgotten. */
export async function forgetAnswers(storage: Storage, now: number): Promise<void> {
  const old = (await storage.list(answers)).filter(
    (row) => lately(decodeRecord(answered, row).times, now).length === 0,
  );
  if (old.length === 0) return;
  const place = ({ key }: Row) => ({ namespace: answers, key });
  await storage.commit({
    remove: old.map(place),
    expect: old.map((row) => ({ ...place(row), version: row.version })),
  });
}

/** Unix milliseconds at which it may be asked next, and whether that needs no new session; undefined: nothing to ask. */
export function nextQuestion(
  repair: Repair,
  now: number,
): { at: number; supplement: boolean } | undefined {
  if (repair.failed.length === 0) return undefined;
  const asked = lately(repair.asked, now);
  const last = asked.at(-1);
  const { first, longest, asksPerDay, sentFor } = repairLimits;
  let allowed = 0;
  if (last !== undefined)
    allowed =
      asked.length >= asksPerDay
        ? (asked[0] ?? last) + sentFor
        : last + Math.min(first * 2 ** (asked.length - 1), longest);
  const news = repair.failed.some((each) => !each.asked);
  if (!news) return { at: allowed, supplement: false };
  const inPlace = repair.state === 'resend' && repair.works !== undefined;
  if (inPlace && repair.supplements < repairLimits.supplements && last !== undefined)
    return { at: repair.quiet, supplement: true };
  return { at: Math.max(repair.quiet, allowed), supplement: false };
}

/** After one more failure. */
export function failing(
  before: Repair | undefined,
  whose: Pick<Repair, 'account' | 'device' | 'name'>,
  what: { hash: Uint8Array; session: Uint8Array },
  now: number,
): Repair {
  const { hash, session } = what;
  const failed = before?.failed ?? [];
  const asked = lately(before?.asked ?? [], now);
  const oldest = Math.min(now, ...failed.filter((each) => !each.asked).map(({ at }) => at));
  const quiet = Math.min(
    now + Math.floor(Math.random() * repairLimits.delay),
    oldest + repairLimits.gather,
  );
  const works = before?.works && !equal(before.works, session) ? before.works : undefined;
  const going = before && before.state !== 'ok' && (works || before.state === 'resync');
  const full = failed.length >= repairLimits.failures;
  return {
    ...whose,
    state: going ? before.state : 'suspect',
    session,
    ...(works && { works }),
    failed: full ? failed : [...failed, { hash, at: now }],
    more: (before?.more ?? 0) + (full ? 1 : 0),
    asked,
    supplements: before?.supplements ?? 0,
    quiet,
  };
}

/** Without failures that are settled; a row without any is kept for its limits. */
export function without(repair: Repair, settled: (failure: Failure) => boolean): Repair {
  const failed = repair.failed.filter((each) => !settled(each));
  if (failed.length > 0) return { ...repair, failed };
  const { works: _, ...rest } = repair;
  return { ...rest, failed, state: 'ok', more: 0 };
}
