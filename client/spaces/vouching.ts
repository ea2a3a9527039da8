/**
 * Entries that can't be proved any more, because their actor's account has ended. docs/protocol/channel.md §3.2
 *
 * Invariant: the island and a member together do nothing in the name of somebody who is no more that the member could
 * not do alone.
 */
import type { SpaceEntry } from '@island/protocol/space/entry.ts';
import { may } from '@island/protocol/space/permissions.ts';
import { checkPermitted } from '@island/protocol/space/rules.ts';
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';

/** Whether `actor`, by a proved entry behind it, makes an entry count. `kept`: what is sure before all that is not proved. */
export function vouches(
  kept: SpaceState | undefined,
  actor: AccountId,
  entry: SpaceEntry,
): boolean {
  if (kept === undefined) return true;
  if (may(kept, actor, 'administrator')) return entry.op.op !== 'owner';
  const { seq, hash: prev } = kept;
  const listEpoch = Number.MAX_SAFE_INTEGER;
  try {
    checkPermitted(kept, { ...entry, seq: seq + 1, prev, actor, listEpoch });
    return true;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}
