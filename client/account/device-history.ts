/**
 * From a device list that is known to a newer one, list by list. docs/protocol/devices.md §5
 *
 * Each list names the hash of the one before and is signed by the identity key of then; a rotation of
 * that key is signed by both. So whoever knows one list can follow a person, or its own account, through
 * any number of changes (up to `mostChanges` at once), and the island can leave none out. That these are the
 * lists that everybody is shown is for the log to prove (transparency/). What cannot be followed is a reset: the
 * old key has not agreed to it.
 */
import { has } from '@island/protocol/crypto/account-state.ts';
import {
  checkSuccessor,
  type DeviceList,
  openDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { Problem, type ProblemCode, refusing } from '../problem.ts';

/**
 * Changes that are followed at once. To a fresh home an island can show a history that it invented, with
 * keys of its own, and go on with it for ever; of 10,000 true ones a person would know.
 */
export const mostChanges = 10_000;

export interface Following {
  name: string;
  known: DeviceList;
  newest: DeviceList;
  /** The lists after the known one up to the newest, as the log proves them. */
  lists: () => Promise<readonly Uint8Array[]>;
  /** Whether a list of a new identity, which the known one has not signed, is refused. */
  resets: 'refused' | 'accepted';
  /** Hears of each list after the known one, once it is checked; without it no list on the way is kept. */
  passing?: (list: DeviceList) => void;
}

/** The list of a person by that name, as the island gave it. Throws `list_invalid`. */
export function openListOf(
  name: string,
  answer: { account: AccountId; list: Uint8Array },
): DeviceList {
  return refusing('list_invalid', name, () => {
    const list = openDeviceList(answer.list);
    if (list.name !== name || list.account !== answer.account) throw new Fault('malformed');
    return list;
  });
}

/**
 * Goes through the lists after `known`, up to `newest`. Throws `list_rolled_back` for an older list,
 * `list_invalid` for another one of the known epoch or one that does not follow, `history_broken` when
 * the island shows no unbroken way, `history_long` when it names too long a one, which is then not asked
 * for, `identity_changed` for a reset.
 */
export async function followHistory(following: Following): Promise<void> {
  const { name, known, newest, lists, resets, passing } = following;
  if (newest.epoch - known.epoch > mostChanges) throw new Problem('history_long', { name });
  const way = await lists();
  if (newest.epoch < known.epoch) throw new Problem('list_rolled_back', { name });
  if (newest.epoch === known.epoch) {
    if (!equal(newest.hash, known.hash)) throw new Problem('list_invalid', { name });
    return;
  }
  const otherwise = way.length === 1 ? 'list_invalid' : 'history_broken';
  let last = known;
  for (const bytes of way) {
    const next = refusing(otherwise, name, () => openDeviceList(bytes));
    step(name, last, next, resets, otherwise);
    passing?.(next);
    last = next;
  }
  if (!equal(last.hash, newest.hash)) throw new Problem('history_broken', { name });
}

function step(
  name: string,
  last: DeviceList,
  next: DeviceList,
  resets: Following['resets'],
  otherwise: ProblemCode,
): void {
  refusing(otherwise, name, () => checkSuccessor(last, next));
  if (has(next, 'reset') && resets === 'refused') throw new Problem('identity_changed', { name });
}
