/** Who may read the log of a space before they are in it: whoever could join by the invite that they show. docs/protocol/channel.md §3.3 */
import { verifyInvited } from '@island/protocol/space/entry.ts';
import { isGood } from '@island/protocol/space/giving.ts';
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, SpaceId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';

interface Shown {
  space: SpaceId;
  account: AccountId;
  key?: Uint8Array;
  aik?: Uint8Array;
  proof?: Uint8Array;
}

/**
 * `not_found` without the key of an invite that there is; with one, what a join would be refused with: `banned`,
 * `joining_locked`, `space_invite_refused`, `space_closed`.
 */
export function checkInvited(state: SpaceState, now: number, shown: Shown): void {
  const { space, account, key, aik, proof } = shown;
  const invite = key && state.invites.get(hex(key));
  if (!invite || !aik || !proof) throw new Fault('not_found');
  if (!verifyInvited({ space, account, key, aik, proof })) throw new Fault('not_found');
  if (state.closed) throw new Fault('space_closed');
  if (state.bans.has(account)) throw new Fault('banned');
  if (state.joinLocked) throw new Fault('joining_locked');
  if (!isGood(invite, now)) throw new Fault('space_invite_refused');
}
