/**
 * The invite of an island's first person, who will be its admin: made once, and kept in a 0600 file until used, so that
 * each start can print it. docs/operations.md §8
 */
import { rm } from 'node:fs/promises';
import { accounts } from '../accounts/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { readPrivateText, writePrivateText } from '../kit/private-text.ts';

/** Thirty days. */
const seconds = 2_592_000;

/** The unused first invite; a new one when it expired before anybody came; `undefined` once somebody has. */
export async function showFirstInvite(bus: Bus, file: string): Promise<string | undefined> {
  const kept = await readPrivateText(file);
  const standing = await bus.call(accounts, 'standing', kept === undefined ? {} : { invite: kept });
  if (kept !== undefined && standing.inviteGood) return kept;
  if (standing.people > 0) {
    await rm(file, { force: true });
    return undefined;
  }
  const { invite } = await bus.call(accounts, 'invite', { uses: 1, seconds, role: 'admin' });
  await writePrivateText(file, invite);
  return invite;
}
