/** For tests: a home of somebody on real services, with what a device of theirs can do. */
import { openAccount, readAccount } from '../account/account.ts';
import type { Keeping } from '../account/key-changes.ts';
import type { Joining } from '../joining/joining-parts.ts';
import { register } from '../joining/registration.ts';
import { openWallet } from '../payment/wallet.ts';
import { type Lookups, openLookups } from '../people/lookups.ts';
import type { Platform } from '../platform.ts';
import type { Credentials } from '../sign-in/credentials.ts';
import { openSession, type Session } from '../sign-in/session.ts';
import { memoryStorage } from '../storage/memory.ts';
import type { Storage } from '../storage/storage.ts';
import { openProving } from '../transparency/proving.ts';
import type { Transport } from '../transport/transport.ts';
import type { RealIsland } from './real-island.ts';

export interface Home {
  storage: Storage;
  platform: Platform;
  joining: Joining;
}

/** The home of a device that has joined. */
export interface DeviceHome extends Home {
  device: number;
  session: Session;
  transport: Transport;
  keeping: Keeping;
  lookups: Lookups;
}

export const credentials: Credentials = { password: 'correct horse' };

export function home(island: RealIsland, storage: Storage = memoryStorage()): Home {
  const platform = island.platform();
  return { storage, platform, joining: { storage, platform, now: island.clock.now } };
}

/** A home whose device has joined, as a program opens it. */
export async function opened(
  island: RealIsland,
  { storage, platform, joining }: Home,
): Promise<DeviceHome> {
  const record = await readAccount(storage);
  if (record?.state !== 'registered') throw new Error('nobody has joined here');
  const account = openAccount(record);
  const transport = platform.transport(account.pinned);
  const { now } = island.clock;
  const session = openSession({ storage, transport, account, now });
  const { device } = account;
  return {
    storage,
    platform,
    joining,
    device,
    session,
    transport,
    keeping: { storage, session, now },
    lookups: openLookups({
      storage,
      wallet: openWallet({ storage, session, transport, now }),
      transport,
      proving: openProving({ storage, transport, now }),
    }),
  };
}

export async function registered(
  island: RealIsland,
  name: string,
): Promise<DeviceHome & { codes: string[] }> {
  const fresh = home(island);
  const { codes } = await register(fresh.joining, await island.link(), name, credentials);
  return { ...(await opened(island, fresh)), codes };
}
