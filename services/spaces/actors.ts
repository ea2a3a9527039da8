/**
 * Whose entry it is: a device that is on its account's list now signed it, and who comes is who they say.
 * docs/protocol/channel.md §3.2
 */
import { readState } from '@island/protocol/crypto/account-state.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { type SpaceEntry, verifyEntry } from '@island/protocol/space/entry.ts';
import { Reader } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';

/**
 * Throws `forbidden` for a device that is not on the list and for a list that there is not, `bad_signature`,
 * `space_invalid` for another identity than the list has; `unavailable` when the directory can't say.
 */
export async function checkActor(bus: Pick<Bus, 'call'>, entry: SpaceEntry): Promise<void> {
  const { actor, device, listEpoch, op } = entry;
  const { epoch, devices, name, aik, resetCounter } = await listOf(bus, actor);
  const cert = devices.find((each) => each.device === device);
  if (cert === undefined || listEpoch > epoch) throw new Fault('forbidden');
  verifyEntry(entry, cert.dsk);
  if (op.op !== 'create' && op.op !== 'join') return;
  const same = op.name === name && op.resets === resetCounter && equal(op.aik, aik);
  if (!same) throw new Fault('space_invalid');
}

/** The directory verified it when it took it in. */
async function listOf(bus: Pick<Bus, 'call'>, account: AccountId) {
  try {
    const { list } = await bus.call(directory, 'current', { account });
    return readState(new Reader(list));
  } catch (error) {
    if (error instanceof Fault && error.code === 'unknown_person') throw new Fault('forbidden');
    throw error;
  }
}
