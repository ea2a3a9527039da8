/** For tests: what an island knows of the people on an odd one, and what it makes of it. */

import type { CertifiedSender } from '@island/protocol/crypto/sender-certificate.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import type { Member } from './member.ts';
import type { OddIsland } from './odd-island.ts';
import type { TestPerson } from './person.ts';

export function memberOf(island: OddIsland, { name }: Pick<TestPerson, 'name'>): Member {
  const member = island.members.get(name);
  if (!member) throw new Error(`${name} is not registered`);
  return member;
}

/** As a certificate names the device of a person. */
export function certified({ islander: { account } }: TestPerson): CertifiedSender {
  const { name, aik, dsk, dik } = account;
  const keys = { aik: aik.public, dsk: dsk.public, dik: dik.public };
  return {
    name,
    account: account.account,
    device: deviceId(account.device),
    listEpoch: 1,
    ...keys,
  };
}

/** The sealed envelopes that wait for somebody. */
export const waitingFor = (island: OddIsland, who: TestPerson): Uint8Array[] =>
  memberOf(island, who).mailbox.map(({ body }) => body);

/** Takes what waits out of the mailbox: the island keeps it to itself. */
export function withheld(island: OddIsland, who: TestPerson): Uint8Array[] {
  const bodies = waitingFor(island, who);
  memberOf(island, who).mailbox.length = 0;
  return bodies;
}
