/** Invites: who holds the code may register, in the role that it gives. Kept as SHA-256 only. docs/protocol/accounts.md §1 */
import { createHash, randomBytes } from 'node:crypto';
import type { Role } from '@island/protocol/wire/account-routes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import { and, asc, eq, gt, lt, sql } from 'drizzle-orm';
import type { CallAnswer } from '../../kit/contract.ts';
import { retentionDays } from '../../kit/retention.ts';
import type { accounts } from '../contract.ts';
import type { Database } from '../database.ts';
import { invites } from '../schema.ts';

/** 128 bits: nobody guesses a code, so a fast hash of it gives nothing away. */
const codeBytes = 16;

/** Seconds an invite is remembered past its end, so that its holder hears `invite_expired`, not `invite_invalid`. */
const remembered = retentionDays.invites * 86_400;

/** Hex digits of the hash by which an operator names an invite. */
const hintDigits = 8;

export const inviteHash = (code: string): Buffer => createHash('sha256').update(code).digest();

export async function createInvite(
  db: Database,
  invite: { uses: number; expires: number; role: Role },
): Promise<string> {
  const code = base64url(randomBytes(codeBytes));
  await db.insert(invites).values({ hash: inviteHash(code), used: 0, ...invite });
  return code;
}

/** The role that it gives. Throws `invite_invalid`, `invite_expired` or `invite_used`. */
export async function checkInvite(db: Database, hash: Buffer, now: number): Promise<Role> {
  const [invite] = await db.select().from(invites).where(eq(invites.hash, hash));
  if (invite === undefined) throw new Fault('invite_invalid');
  if (invite.used >= invite.uses) throw new Fault('invite_used');
  if (invite.expires <= now) throw new Fault('invite_expired');
  return invite.role;
}

export const knowsInvite = async (db: Database, hash: Buffer): Promise<boolean> =>
  (await db.select({ uses: invites.uses }).from(invites).where(eq(invites.hash, hash))).length > 0;

export async function isInviteGood(db: Database, hash: Buffer, now: number): Promise<boolean> {
  try {
    await checkInvite(db, hash, now);
    return true;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

/** Takes one use; answers the role. Call it in the transaction that also reserves the name. */
export async function takeInvite(db: Database, hash: Buffer, now: number): Promise<Role> {
  const role = await checkInvite(db, hash, now);
  await db
    .update(invites)
    .set({ used: sql`${invites.used} + 1` })
    .where(eq(invites.hash, hash));
  return role;
}

/** Gives a use back, when the registration that took it came to nothing. */
export async function returnInvite(db: Database, hash: Buffer): Promise<void> {
  await db
    .update(invites)
    .set({ used: sql`max(0, ${invites.used} - 1)` })
    .where(eq(invites.hash, hash));
}

const good = (now: number) => and(gt(invites.expires, now), sql`${invites.used} < ${invites.uses}`);

/** Those that still let somebody in, the first to end first. */
export async function listInvites(
  db: Database,
  now: number,
): Promise<CallAnswer<typeof accounts, 'invites'>['invites']> {
  const rows = await db.select().from(invites).where(good(now)).orderBy(asc(invites.expires));
  return rows.map(({ hash, ...rest }) => ({ hint: hintOf(hash), ...rest }));
}

const hintOf = (hash: Uint8Array): string => hex(hash).slice(0, hintDigits);

/** Throws `not_found` when no good invite has that hint, or, which chance forbids, several do. */
export async function withdrawInvite(db: Database, hint: string, now: number): Promise<void> {
  const rows = await db.select({ hash: invites.hash }).from(invites).where(good(now));
  const [meant, ...others] = rows.filter(({ hash }) => hintOf(hash) === hint);
  if (meant === undefined || others.length > 0) throw new Fault('not_found');
  await db.delete(invites).where(eq(invites.hash, meant.hash));
}

export async function forgetInvites(db: Database, now: number): Promise<void> {
  await db.delete(invites).where(lt(invites.expires, now - remembered));
}
