/**
 * Whose account a name leads to, as the log has proved it to this home: a name that was there does not vanish, and
 * leads to nobody else, also after it was erased. docs/protocol/transparency.md §8.4
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import type { ProvedLabel } from '@island/protocol/transparency/answer.ts';
import { isErasure } from '@island/protocol/transparency/leaves.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { Contradiction } from './contradiction.ts';
import { broken, hidden, rebound, type ShownLabel, testimony, testimonyOf } from './convicting.ts';

const record = v.strictObject({
  version: s.count,
  eventHash: bytes64,
  /** Its account was ended: it leads to nobody any more. */
  erased: v.boolean(),
  shown: testimony,
});
export type ProvedName = v.InferOutput<typeof record>;

export const provedNamesNamespace = 'proved-names';
const namespace = provedNamesNamespace;

export async function provedName(storage: Storage, name: string): Promise<ProvedName | undefined> {
  const row = await storage.read(namespace, name);
  return row && decodeRecord(record, row);
}

/** `before`: what was known when the question was asked, for answers may cross. Throws `Contradiction`. */
export async function followName(
  storage: Storage,
  name: string,
  before: ProvedName | undefined,
  now: ProvedLabel,
  shown: ShownLabel,
): Promise<void> {
  if (before) check(before, now, shown);
  if (!now.present) return;
  const erased = isErasure(now.event);
  // The first event registers a name, and the only one that may follow erases it.
  if (now.version > 1 && !erased)
    throw new Contradiction('name_rebound', (court) => rebound(shown, court));
  const seen = testimonyOf(shown);
  if (!seen) return;
  const { version, eventHash } = now;
  await untilCommitted(async () => {
    const row = await storage.read(namespace, name);
    if (row && decodeRecord(record, row).version >= version) return;
    const next: ProvedName = { version, eventHash, erased, shown: seen };
    await storage.commit({
      put: [{ namespace, key: name, bytes: encodeRecord(next) }],
      expect: [{ namespace, key: name, version: row?.version ?? 0 }],
    });
  });
}

function check(before: ProvedName, now: ProvedLabel, shown: ShownLabel): void {
  const then = before.shown;
  if (!now.present || now.version < before.version)
    throw new Contradiction('rolled_back', (court) => hidden(then, shown, court));
  if (now.version === before.version && !equal(now.eventHash, before.eventHash))
    throw new Contradiction('chain_broken', (court) => hidden(then, shown, court));
  if (before.erased && now.version > before.version)
    throw new Contradiction('chain_broken', (court) => broken(then, shown, court));
  if (now.version !== before.version + 1) return;
  if (!equal(now.event.prevEvent, before.eventHash))
    throw new Contradiction('chain_broken', (court) => broken(then, shown, court));
}
