/**
 * Whose entry it is: a device that is on its account's list now, and was on the one that the entry names, signed it, and
 * who comes is who they say. What clients would refuse is in no log: an entry of that kind would end a space for
 * everybody in it. docs/protocol/channel.md §3.2
 */
import { type DeviceListState, readState } from '@island/protocol/crypto/account-state.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { type SpaceEntry, verifyEntry } from '@island/protocol/space/entry.ts';
import { isSameIdentity, type SpaceState } from '@island/protocol/space/space-state.ts';
import { Reader } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';

export type Identity = Pick<DeviceListState, 'resetCounter'>;

/**
 * The identity of the actor. Throws `forbidden` for a device that is not on the list and for a list that there is not,
 * `bad_signature`, `space_invalid` for another identity than the list has; `unavailable` when the directory can't say.
 */
export async function checkActor(bus: Pick<Bus, 'call'>, entry: SpaceEntry): Promise<Identity> {
  const { actor, device, listEpoch, op } = entry;
  const present = await listOf(bus, actor);
  const named = listEpoch === present.epoch ? present : await listOf(bus, actor, listEpoch);
  const certs = [present, named].map((list) => list.devices.find((each) => each.device === device));
  if (certs.includes(undefined)) throw new Fault('forbidden');
  for (const cert of certs) if (cert) verifyEntry(entry, cert.dsk);
  if (op.op === 'create' || op.op === 'join') {
    const { name, aik, resetCounter } = named;
    const same = op.name === name && op.resets === resetCounter && equal(op.aik, aik);
    if (!same || resetCounter !== present.resetCounter) throw new Fault('space_invalid');
  }
  if (op.op === 'readmit') {
    const { aik, resetCounter } = await listOf(bus, op.account);
    if (op.resets !== resetCounter || !equal(op.aik, aik)) throw new Fault('space_invalid');
  }
  return present;
}

/** Whoever had an account reset acts for nobody, until they are let in again. Throws `not_permitted`. */
export function checkIdentity({ members }: SpaceState, entry: SpaceEntry, now: Identity): void {
  const member = members.get(entry.actor);
  const same = member === undefined || isSameIdentity(member, now);
  if (!same && entry.op.op !== 'leave') throw new Fault('not_permitted');
}

/** The directory verified it when it took it in. */
async function listOf(
  bus: Pick<Bus, 'call'>,
  account: AccountId,
  epoch?: number,
): Promise<DeviceListState> {
  try {
    const { list } =
      epoch === undefined
        ? await bus.call(directory, 'current', { account })
        : await bus.call(directory, 'listAt', { account, epoch });
    return readState(new Reader(list));
  } catch (error) {
    if (error instanceof Fault && error.code === 'unknown_person') throw new Fault('forbidden');
    throw error;
  }
}
