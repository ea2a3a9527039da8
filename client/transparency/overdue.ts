/**
 * Looks at contacts that were never made: who keeps a home from looking again hides what it was shown alone.
 * A person hears of it once, until all are made. docs/protocol/transparency.md §8.6
 *
 * A home that was switched off is behind, too: so it counts from when this home found itself behind.
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as v from 'valibot';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Storage } from '../storage/storage.ts';
import { allEnded } from './ended.ts';
import { allProved, type Proved } from './proved.ts';

const record = v.strictObject({
  /** Unix milliseconds: since when somebody was overdue whenever this home looked. */
  since: v.number(),
  told: v.optional(v.literal(true)),
});
const place = { namespace: 'transparency', key: 'looks-overdue' };

const day = 86_400_000;
/** Milliseconds after a version was first used. */
const due = [day, 7 * day] as const;
/** Milliseconds behind its time after which a look is overdue; and for how long it is so before a person hears of it. */
const lateness = day;

/** Unix milliseconds of the next look at a version; never, after the last. */
export const dueAt = ({ since, looks }: Pick<Proved, 'since' | 'looks'>): number =>
  since + (due[looks] ?? Number.POSITIVE_INFINITY);

/** Of how many people a person has to hear now that they could not be looked at again. `own`: of this home. */
export async function newlyOverdue(
  storage: Storage,
  own: AccountId,
  now: number,
): Promise<number | undefined> {
  const ended = await allEnded(storage);
  const over = new Set(ended.map(({ account }) => account));
  const going = (await allProved(storage)).filter(({ account }) => !over.has(account));
  const late = [...going, ...ended].filter(
    (each) => each.account !== own && now > dueAt(each) + lateness,
  );
  const row = await storage.read(place.namespace, place.key);
  if (late.length === 0) {
    if (row) await storage.commit({ remove: [place] });
    return undefined;
  }
  const known = row && decodeRecord(record, row);
  const { since, told } = known ?? { since: now };
  const tells = !told && now > since + lateness;
  if (!known || tells) {
    const bytes = encodeRecord({ since, ...(tells && { told: true }) });
    await storage.commit({ put: [{ ...place, bytes }] });
  }
  return tells ? late.length : undefined;
}
