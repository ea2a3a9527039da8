/**
 * The devices of one's own account: which there are, what they are called here, and the end of one.
 * docs/protocol/devices.md §6
 *
 * Whoever removes a device makes a new identity key and a new archive key in the same step: what the
 * removed device knows signs and opens nothing that comes after. Names never leave this home.
 */
import { dayOf } from '@island/protocol/crypto/device.ts';
import { nextDeviceList, signDeviceList } from '@island/protocol/crypto/device-list.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { DeviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Archive } from '../archive/archive.ts';
import { pendingContact } from '../archive/rows.ts';
import { everybody } from '../people/people.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import { type Present, presentHere } from './adoption.ts';
import { type Keeping, publishKeys, syncKeys } from './key-changes.ts';
import type { OwnChange } from './untold-changes.ts';

export interface OwnDevice {
  device: DeviceId;
  /** As the person at this home calls it. */
  name: string | undefined;
  /** Days since 1970-01-01 UTC. */
  addedDay: number;
  /** The device of this home. */
  current: boolean;
}

const namespace = 'device-names';
const text = new TextDecoder();
/** Characters of a device's name. */
const nameCharacters = 64;

/** As this home knows them; `syncOwn` first, to know of those that joined elsewhere. */
export async function ownDevices(storage: Storage): Promise<OwnDevice[]> {
  const { self, list } = await presentHere(storage);
  const rows = await storage.list(namespace);
  const names = new Map(rows.map(({ key, bytes }) => [key, text.decode(bytes)]));
  return list.devices.map(({ device, addedDay }) => ({
    device,
    name: names.get(String(device)),
    addedDay,
    current: device === self.device,
  }));
}

/** An empty name takes the name away. Throws `device_unknown`, `device_name`. */
export async function nameDevice(storage: Storage, device: number, name: string): Promise<void> {
  const { list } = await presentHere(storage);
  if (!list.devices.some((cert) => cert.device === device))
    throw new Problem('device_unknown', { device });
  const trimmed = name.trim();
  if (trimmed.length > nameCharacters || /\p{Cc}/u.test(trimmed))
    throw new Problem('device_name', { limit: nameCharacters });
  const place = { namespace, key: String(device) };
  if (trimmed === '') await storage.commit({ remove: [place] });
  else await storage.commit({ put: [{ ...place, bytes: utf8Bytes(trimmed) }] });
}

/**
 * Removes a device: it is on no list from then on, its sessions and its mailbox end, and the keys that it
 * knows are replaced. With `archive` the archive is closed to it at once, otherwise at the next look into
 * it. Resolves when it is done, also if it was done before. Throws `device_unknown`, `device_itself`, and
 * what `publishKeys` throws.
 */
export async function revokeDevice(
  keeping: Keeping,
  device: number,
  archive?: Pick<Archive, 'sync'>,
): Promise<void> {
  // Of what the device wrote, others believe later what was read before its removal; nothing holds that up.
  await archive?.sync(keeping.signal).catch(() => undefined);
  const aik = ed25519.generate();
  await publishKeys(keeping, ({ self, list }) => {
    if (device === self.device) throw new Problem('device_itself');
    const devices = list.devices.filter((cert) => cert.device !== device);
    if (devices.length === list.devices.length) {
      if (list.revoked.some((gone) => gone.device === device)) return undefined;
      throw new Problem('device_unknown', { device });
    }
    const next = nextDeviceList(
      list,
      { devices, replace: { aik: aik.public, how: 'rotate' } },
      dayOf(keeping.now()),
    );
    return {
      list: { bytes: signDeviceList(next, aik, ed25519.fromSeed(self.aik)), aik },
      rotate: true,
    };
  });
  // What the removed device has told of others is believed by nobody who comes later: it is told anew.
  const met = await everybody(keeping.storage);
  await keeping.storage.commit({
    put: met.map(({ account }) => pendingContact(account)),
    remove: [{ namespace, key: String(device) }],
  });
  await archive?.sync(keeping.signal);
}

/**
 * Takes over what other devices changed, and ends what was begun here. A code that was used by somebody
 * who then never joined leaves an archive key that the code opens: it is replaced once nobody can be on
 * the way any more. Throws what `syncKeys` throws.
 */
export async function syncOwn(keeping: Keeping): Promise<Present & { changes: OwnChange[] }> {
  const present = await syncKeys(keeping);
  const { used } = present.keys;
  const waited = used ? (keeping.now() - used.since) / 1000 : 0;
  if (waited <= limits.joiningSeconds) return present;
  return { ...(await renewAfterCode(keeping)), changes: present.changes };
}

/** After a code was used at this device: a new archive key, and no place for the code any more. */
export const renewAfterCode = (keeping: Keeping): Promise<Present> =>
  publishKeys(keeping, ({ used }) => (used.length > 0 ? { rotate: true } : undefined));
