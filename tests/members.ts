/** People of a whole-island test who use the SDK in the test's own process; what they send is kept. */
import { askInvite } from '@island/appliance/operator.ts';
import { freshHome } from '@island/appliance/verify/device.ts';
import { newPerson, type Person } from '@island/appliance/verify/people.ts';
import { revokeDevice } from '@island/client/account/own-devices.ts';
import { giveByLink, joinByLink, offerLink } from '@island/client/joining/linking.ts';
import { parseIslandLink } from '@island/protocol/wire/island-link.ts';
import type { TestIsland } from './island.ts';

/** Registers people with an invite each. `password`: the same for all, instead of a random one for each. */
export async function members(
  { data, welcome }: TestIsland,
  names: readonly string[],
  password?: string,
): Promise<Person[]> {
  const { address, caFingerprint } = welcome;
  const { invite } = await askInvite(data, names.length, 600);
  const people: Person[] = [];
  for (const name of names) {
    const joins = { address, caFingerprint, invite, name };
    people.push(await newPerson({ ...joins, ...(password !== undefined && { password }) }));
  }
  return people;
}

/** Another identity key and another archive key: a device is linked, and removed again. */
export async function rotateKeys({ keeping, platform, password }: Person): Promise<void> {
  const { link, offer } = await offerLink(keeping);
  const parsed = parseIslandLink(link);
  if (parsed.kind !== 'link') throw new TypeError('not the link of a device');
  const digits = Promise.withResolvers<string>();
  const shown = { credentials: { password }, askDigits: () => digits.promise };
  const yes = async (seen: string) => {
    digits.resolve(seen);
    return true;
  };
  const [, { account }] = await Promise.all([
    giveByLink(keeping, offer, yes),
    joinByLink(freshHome(platform), parsed, shown),
  ]);
  await revokeDevice(keeping, account.device);
}
