/** People of a whole-island test who use the SDK in the test's own process; what they send is kept. */
import { askInvite } from '@island/appliance/operator.ts';
import { newPerson, type Person } from '@island/appliance/verify/people.ts';
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
