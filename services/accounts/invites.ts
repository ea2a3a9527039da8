/** Invites: who holds the code may register. Kept as SHA-256 only. docs/protocol/accounts.md §1 */
import { createHash, randomBytes } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { eq, lt, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import { invites } from './schema.ts';

/** 128 bits: nobody guesses a code, so a fast hash of it gives nothing away. */
const codeBytes = 16;

/** Seconds an invite is remembered past its end, so that its holder hears `invite_expired`, not `invite_invalid`. */
const remembered = 7 * 86_400;

export const inviteHash = (code: string): Buffer => createHash('sha256').update(code).digest();

export async function createInvite(
  db: Database,
  invite: { uses: number; expires: number },
): Promise<string> {
  const code = base64url(randomBytes(codeBytes));
  await db.insert(invites).values({ hash: inviteHash(code), used: 0, ...invite });
  return code;
}

/** Throws `invite_invalid`, `invite_expired` or `invite_used`. */
export async function checkInvite(db: Database, hash: Buffer, now: number): Promise<void> {
  const [invite] = await db.select().from(invites).where(eq(invites.hash, hash));
  if (invite === undefined) throw new Fault('invite_invalid');
  if (invite.used >= invite.uses) throw new Fault('invite_used');
  if (invite.expires <= now) throw new Fault('invite_expired');
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

/** Takes one use. Call it in the transaction that also reserves the name. */
export async function takeInvite(db: Database, hash: Buffer, now: number): Promise<void> {
  await checkInvite(db, hash, now);
  await db
    .update(invites)
    .set({ used: sql`${invites.used} + 1` })
    .where(eq(invites.hash, hash));
}

/** Gives a use back, when the registration that took it came to nothing. */
export async function returnInvite(db: Database, hash: Buffer): Promise<void> {
  await db
    .update(invites)
    .set({ used: sql`max(0, ${invites.used} - 1)` })
    .where(eq(invites.hash, hash));
}

export async function forgetInvites(db: Database, now: number): Promise<void> {
  await db.delete(invites).where(lt(invites.expires, now - remembered));
}
