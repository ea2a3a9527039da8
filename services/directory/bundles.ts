/** Prekey bundles for senders, who paid for them, and fresh prekeys from their owners. docs/protocol/prekeys.md §5 */
import { dayOf } from '@island/protocol/crypto/device.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { deviceKey } from '@island/protocol/wire/ids.ts';
import { type Clock, unixSeconds } from '../kit/clock.ts';
import type { CallAnswer, CallRequest } from '../kit/contract.ts';
import type { Quotas } from '../kit/quotas.ts';
import type { directory } from './contract.ts';
import type { DirectoryStore } from './database.ts';
import { devicesOf, signingKeyOf } from './device-lists.ts';
import { openPrekeys } from './prekey-check.ts';
import { countUnused, type DeviceOf, handOut, storePrekeys } from './prekeys.ts';

type Directory = typeof directory;

export interface Bundles {
  store: DirectoryStore;
  clock: Clock;
  quotas: Quotas;
}

const hour = 3600;
/** Verifying a batch is work: nobody needs more of it than this in an hour. */
const replenishesPerHour = 10;

export async function bundles(
  tools: Bundles,
  { account, devices }: CallRequest<Directory, 'bundles'>,
): Promise<CallAnswer<Directory, 'bundles'>> {
  const { store, clock } = tools;
  if (new Set(devices).size !== devices.length) throw new Fault('malformed');
  const known = await devicesOf(store.read, account);
  if (!devices.every((device) => known.devices.includes(device))) throw new Fault('unknown_device');
  const now = unixSeconds(clock);
  const found = await store.write(async (db) => {
    const handed = [];
    for (const device of devices) handed.push(await handOut(db, { account, device }, now));
    return handed;
  });
  return { bundles: found };
}

export async function prekeyCount(
  { store, clock }: Bundles,
  at: DeviceOf,
): Promise<CallAnswer<Directory, 'prekeyCount'>> {
  return { oneTime: await countUnused(store.read, at, unixSeconds(clock)) };
}

export async function replenish(
  tools: Bundles,
  request: CallRequest<Directory, 'replenish'>,
): Promise<CallAnswer<Directory, 'replenish'>> {
  const { store, clock } = tools;
  const at = { account: request.account, device: request.device };
  const dsk = await signingKeyOf(store.read, at.account, at.device);
  const asked = `replenish\0${deviceKey(at.account, at.device)}`;
  await tools.quotas.count(asked, replenishesPerHour, hour);
  const prekeys = openPrekeys(request, dsk, dayOf(clock.now()));
  await store.write(async (db) => {
    // It may have been removed meanwhile: nothing of it is kept then.
    await signingKeyOf(db, at.account, at.device);
    await storePrekeys(db, at, prekeys, unixSeconds(clock));
  });
  return prekeyCount(tools, at);
}
