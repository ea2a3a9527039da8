/** The devices of an account as the directory has them now, and what they prove. docs/protocol/accounts.md §4 */
import { readState } from '@island/protocol/crypto/account-state.ts';
import type { DeviceCert } from '@island/protocol/crypto/device.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { checkDeviceProof, type DeviceClaim } from '@island/protocol/crypto/session-proof.ts';
import { Reader } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { directory } from '../../directory/contract.ts';
import type { Bus } from '../../kit/bus.ts';

/**
 * None for an account that the directory does not have. The directory verified the list when it took it in.
 * @throws Fault `unavailable` when the directory can't say
 */
export async function devicesOf(bus: Bus, account: AccountId): Promise<readonly DeviceCert[]> {
  try {
    const { list } = await bus.call(directory, 'current', { account });
    return readState(new Reader(list)).devices;
  } catch (error) {
    if (error instanceof Fault && error.code === 'unknown_person') return [];
    throw error;
  }
}

/** Whose proofs are checked where there is no device, so that there is nothing to be told by the time it takes. */
const decoy = ed25519.generate().public;

/** Whether `proof` is by the device that the claim names, and that device is one of `devices`. */
export function isProven(
  devices: readonly DeviceCert[],
  claim: DeviceClaim,
  proof: Uint8Array,
): boolean {
  const dsk = devices.find(({ device }) => device === claim.device)?.dsk;
  try {
    checkDeviceProof(dsk ?? decoy, claim, proof);
    return dsk !== undefined;
  } catch (error) {
    if (error instanceof Fault && error.code === 'bad_proof') return false;
    throw error;
  }
}
