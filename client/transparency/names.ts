/**
 * Whose account a name leads to, as the log has proved it to this home: a name that was there does not vanish, and
 * leads to nobody else before it was given back. docs/protocol/transparency.md §8.4
 */
import { listFlags } from '@island/protocol/crypto/account-state.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import type { ProvedLabel } from '@island/protocol/transparency/answer.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { Contradiction } from './contradiction.ts';
import { broken, hidden, rebound, type ShownLabel, testimony, testimonyOf } from './convicting.ts';

const record = v.strictObject({
  version: s.count,
  eventHash: bytes64,
  /** It was given back, and leads to nobody. */
  erased: v.boolean(),
  shown: testimony,
});
export type ProvedName = v.InferOutput<typeof record>;

const namespace = 'proved-names';

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
  const erased = (now.event.flags & listFlags.erase) !== 0;
  // The first event registers a name. Who has not seen that it was given back can't tell a later owner from a thief.
  if (now.version > 1 && !erased && !before?.erased)
    throw new Contradiction('name_rebound', async (court) =>
      now.version === 2 ? rebound(shown, court) : undefined,
    );
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
  if (now.version !== before.version + 1) return;
  if (!equal(now.event.prevEvent, before.eventHash))
    throw new Contradiction('chain_broken', (court) => broken(then, shown, court));
  if (!before.erased && (now.event.flags & listFlags.erase) === 0)
    throw new Contradiction('name_rebound', (court) => rebound(shown, court));
}
