/**
 * What a backup code needs of the island: a share for its slot in the key record, which goes the moment
 * the code is used (A2, A3). docs/protocol/devices.md §7
 *
 * A slot is used, or its share lies here, or it waits for a joining that began with its code: then it goes
 * along with every new record until that joining is over, so that a record made meanwhile by another
 * device loses nobody what their code opened.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { UnverifiedRecord } from '@island/protocol/crypto/key-record.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { and, count, eq } from 'drizzle-orm';
import type { Place, Sealing } from '../../kit/sealing.ts';
import type { Database } from '../database.ts';
import { codeSlots } from '../schema.ts';
import { begunWithCode, releaseAnew } from './joinings.ts';

/** What somebody shows who has a code. */
export interface ShownCode {
  /** 16 bytes. */
  loc: Uint8Array;
  /** 32 bytes. */
  proof: Uint8Array;
}

const placeOf = (account: string, loc: Uint8Array): Place => ({
  table: 'code_slots',
  column: 'share',
  row: `${account}.${hex(loc)}`,
});

/** What is compared where there is no slot, so that this takes the same time. */
const nothing = Buffer.alloc(32);

/**
 * Uses a code up, in the transaction that gives what it was shown for, and answers its share. Of any number
 * of uses at once one is the first. Throws `wrong_code` for a code that is unknown, used, or of somebody else.
 */
export async function useCode(
  db: Database,
  shares: Sealing,
  account: AccountId,
  { loc, proof }: ShownCode,
): Promise<Uint8Array> {
  const which = and(eq(codeSlots.account, account), eq(codeSlots.loc, Buffer.from(loc)));
  const [slot] = await db.select().from(codeSlots).where(which);
  const shown = createHash('sha256').update(proof).digest();
  const right = timingSafeEqual(slot?.proofHash ?? nothing, shown);
  if (slot === undefined || !right) throw new Fault('wrong_code');
  await db.delete(codeSlots).where(which);
  return shares.open(placeOf(account, loc), slot.share);
}

/** Codes that are still good. */
export async function countCodes(db: Database, account: AccountId): Promise<number> {
  const [row] = await db
    .select({ n: count() })
    .from(codeSlots)
    .where(eq(codeSlots.account, account));
  return row?.n ?? 0;
}

/** The slots of a record whose codes were used. @param now Unix seconds */
export async function usedSlots(
  db: Database,
  { account, slots }: UnverifiedRecord,
  now: number,
): Promise<Uint8Array[]> {
  const good = await db
    .select({ loc: codeSlots.loc })
    .from(codeSlots)
    .where(eq(codeSlots.account, account));
  const waiting = await begunWithCode(db, account, now);
  const alive = new Set([...good, ...waiting].map(({ loc }) => hex(loc ?? nothing)));
  return slots.map(({ loc }) => loc).filter((loc) => !alive.has(hex(loc)));
}

/** A record and a share for each of its slots, in their order. */
export interface Shared {
  record: UnverifiedRecord;
  shares: readonly Uint8Array[];
}

/**
 * The shares of a new record take the place of those of the `previous` one; what was used meanwhile stays
 * used, and a slot that the new record leaves out opens nothing any more, for nobody.
 */
export async function replaceSlots(
  db: Database,
  sealing: Sealing,
  { record, shares }: Shared,
  previous: UnverifiedRecord | undefined,
  now: number,
): Promise<void> {
  const { account, slots } = record;
  const used = new Set((previous ? await usedSlots(db, previous, now) : []).map(hex));
  const waiting = await begunWithCode(db, account, now);
  for (const joining of waiting) {
    const i = slots.findIndex(({ loc }) => joining.loc?.equals(loc));
    await releaseAnew(db, sealing, joining, shares[i]);
  }
  await db.delete(codeSlots).where(eq(codeSlots.account, account));
  const rows = slots.flatMap(({ loc, proofHash }, i) => {
    const share = shares[i];
    if (share === undefined) throw new TypeError('a slot without a share');
    const free = !used.has(hex(loc)) && !waiting.some((joining) => joining.loc?.equals(loc));
    const sealed = sealing.seal(placeOf(account, loc), share);
    const row = { account, loc: Buffer.from(loc), proofHash: Buffer.from(proofHash) };
    return free ? [{ ...row, share: sealed }] : [];
  });
  if (rows.length > 0) await db.insert(codeSlots).values(rows);
}
