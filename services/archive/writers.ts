/**
 * Who may append: a device that is on its account's list now, by its signature, under a list that there is. One
 * segment that readers must refuse would end the archive for good, so a token alone writes nothing.
 * docs/decisions/062-archive.md
 */
import { readState } from '@island/protocol/crypto/account-state.ts';
import { type Segment, verifySegment } from '@island/protocol/crypto/archive-segment.ts';
import { Reader } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';

/**
 * Throws `forbidden` for a device that is not on the list and for a list that there is not, `bad_signature`;
 * `unavailable` when the directory can't say.
 */
export async function checkWriter(bus: Pick<Bus, 'call'>, segment: Segment): Promise<void> {
  const { epoch, devices } = await listOf(bus, segment.account);
  const cert = devices.find(({ device }) => device === segment.device);
  if (cert === undefined || segment.listEpoch > epoch) throw new Fault('forbidden');
  verifySegment(segment, cert.dsk);
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
