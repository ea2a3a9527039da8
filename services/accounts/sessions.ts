/**
 * Sessions (A5): a family of refresh tokens, each good for one exchange. Who uses an old one again
 * ends the family. docs/protocol/accounts.md §4
 *
 *     successor = HMAC-SHA-256(key, token ‖ attempt)
 *
 * so an exchange repeated with the same `attempt` gives the same successor, and nothing that is
 * stored gives any token.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { concat } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, DeviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url, fromBase64url, hex } from '@island/protocol/wire/text.ts';
import { and, eq, lt } from 'drizzle-orm';
import type { Bus } from '../kit/bus.ts';
import { type Clock, unixSeconds } from '../kit/clock.ts';
import { accounts } from './contract.ts';
import type { AccountsStore, Database } from './database.ts';
import { families, refreshTokens } from './schema.ts';
import type { AccessClaims, SigningKeys } from './signing-keys.ts';

export interface Tokens {
  access: string;
  refresh: string;
}

export interface Sessions {
  begin(account: AccountId, device: DeviceId): Promise<Tokens>;
  refresh(token: string, attempt?: Uint8Array): Promise<Tokens>;
  end(account: AccountId, session: string): Promise<void>;
}

type Outcome = { claims: AccessClaims } | { reused: { account: string; session: string } };

const tokenBytes = 32;
const digest = (token: Uint8Array): Buffer => createHash('sha256').update(token).digest();

export function createSessions(tools: {
  store: AccountsStore;
  bus: Bus;
  clock: Clock;
  keys: SigningKeys;
  /** 32 bytes, the key of the derivation above. */
  secret: Uint8Array;
}): Sessions {
  const { store, bus, clock, keys, secret } = tools;
  const derive = (token: Uint8Array, attempt: Uint8Array): Buffer =>
    createHmac('sha256', secret).update(concat(token, attempt)).digest();
  const announce = (account: string, session: string) =>
    bus.publish(accounts, 'ended', account, { session });

  return {
    async begin(account, device) {
      const session = hex(randomBytes(16));
      const token = randomBytes(tokenBytes);
      const expires = unixSeconds(clock) + limits.refreshSeconds;
      await store.write(async (db) => {
        await db.insert(families).values({ id: session, account, device, expires, ended: false });
        await db.insert(refreshTokens).values({ hash: digest(token), family: session, expires });
      });
      return { access: await keys.sign({ account, device, session }), refresh: base64url(token) };
    },

    async refresh(text, attempt = randomBytes(16)) {
      const token = fromBase64url(text);
      const successor = derive(token, attempt);
      const now = unixSeconds(clock);
      const outcome = await store.write((db) =>
        exchange(db, digest(token), digest(successor), now),
      );
      if ('reused' in outcome) {
        announce(outcome.reused.account, outcome.reused.session);
        throw new Fault('session_revoked');
      }
      return { access: await keys.sign(outcome.claims), refresh: base64url(successor) };
    },

    async end(account, session) {
      const ended = await store.write((db) =>
        db
          .update(families)
          .set({ ended: true })
          .where(and(eq(families.id, session), eq(families.account, account)))
          .returning({ id: families.id }),
      );
      if (ended.length > 0) announce(account, session);
    },
  };
}

/** Decides about a token, whole within one transaction, so that of any number of uses at once one is the first. */
async function exchange(db: Database, hash: Buffer, next: Buffer, now: number): Promise<Outcome> {
  const held = await find(db, hash);
  if (held === undefined || held.expires <= now) throw new Fault('unauthenticated');
  const [family] = await db.select().from(families).where(eq(families.id, held.family));
  if (family === undefined) throw new Fault('unauthenticated');
  if (family.ended) throw new Fault('session_revoked');
  const { id: session, account } = family;
  const claims = { account, device: family.device as DeviceId, session };

  if (held.next === null) {
    const expires = now + limits.refreshSeconds;
    await db.update(refreshTokens).set({ next }).where(eq(refreshTokens.hash, hash));
    await db.insert(refreshTokens).values({ hash: next, family: session, expires });
    await db.update(families).set({ expires }).where(eq(families.id, session));
    return { claims };
  }
  const repeated = held.next.equals(next) && (await find(db, next))?.next === null;
  if (repeated) return { claims };
  // Committed, not thrown: the end of the family must outlast this call.
  await db.update(families).set({ ended: true }).where(eq(families.id, session));
  return { reused: { account, session } };
}

async function find(db: Database, hash: Buffer) {
  const [row] = await db.select().from(refreshTokens).where(eq(refreshTokens.hash, hash));
  return row;
}

/** A family goes when its newest token has expired; its tokens go with it. */
export async function forgetSessions(db: Database, now: number): Promise<void> {
  await db.delete(families).where(lt(families.expires, now));
  await db.delete(refreshTokens).where(lt(refreshTokens.expires, now));
}
