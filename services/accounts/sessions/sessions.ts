/**
 * Sessions (A5): a family of refresh tokens of one device, each good for one exchange, and only for who
 * signs a fresh nonce with the device's key. Who uses an old one again ends the family.
 * docs/protocol/accounts.md §4
 *
 *     successor = HMAC-SHA-256(key, token ‖ attempt)
 *
 * so an exchange repeated with the same `attempt` gives the same successor, and nothing that is
 * stored gives any token.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { aboutRefresh, proofUses } from '@island/protocol/crypto/session-proof.ts';
import { concat } from '@island/protocol/wire/bytes.ts';
import { Fault, type FaultCode } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId, type DeviceId, deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url, fromBase64url, hex } from '@island/protocol/wire/text.ts';
import { eq } from 'drizzle-orm';
import type { Bus } from '../../kit/bus.ts';
import { type Clock, unixDay, unixSeconds } from '../../kit/clock.ts';
import type { CallRequest } from '../../kit/contract.ts';
import { accounts } from '../contract.ts';
import type { AccountsStore, Database } from '../database.ts';
import { devicesOf, isProven } from '../devices/devices.ts';
import { families, refreshTokens } from '../schema.ts';
import type { Nonces } from '../sign-in/nonces.ts';
import { endFamily, endSurplus } from './session-ends.ts';
import type { AccessClaims, SigningKeys } from './signing-keys.ts';

export interface Tokens {
  access: string;
  refresh: string;
}

/** A session that is in the database, and not yet in anybody's hands. */
export interface Begun {
  claims: AccessClaims & { account: AccountId };
  token: Uint8Array;
  /** Older sessions of the device that ended for it. */
  ended: readonly string[];
}

export type RefreshRequest = CallRequest<typeof accounts, 'refresh'>;

export interface Sessions {
  /** Belongs into the transaction that spends the nonce. */
  begin(db: Database, account: AccountId, device: DeviceId): Promise<Begun>;
  /**
   * What the client gets, once that transaction is on the disk. A device that was removed while it began gets nothing,
   * and the session ends: whoever removed it has not seen that session. Throws `removed` then.
   */
  issue(begun: Begun, removed?: FaultCode): Promise<Tokens>;
  refresh(request: RefreshRequest): Promise<Tokens>;
  /** Tells the gateways, once it is on the disk. */
  announce(account: string, ended: readonly string[]): void;
}

const tokenBytes = 32;
const digest = (token: Uint8Array): Buffer => createHash('sha256').update(token).digest();

/** What is known of an exchange before the transaction that decides about it. */
interface Exchange {
  hash: Buffer;
  /** SHA-256 of the successor. */
  next: Buffer;
  nonce: Uint8Array;
  /** By the device of the session, over this very exchange. */
  proven: boolean;
  /** Whether the device is on the list of its account. */
  listed: boolean;
}
type Outcome = { claims: AccessClaims } | { ended: { account: string; session: string } };

export function createSessions(tools: {
  store: AccountsStore;
  bus: Bus;
  clock: Clock;
  keys: SigningKeys;
  nonces: Nonces;
  /** 32 bytes, the key of the derivation above. */
  secret: Uint8Array;
}): Sessions {
  const { store, bus, clock, keys, nonces, secret } = tools;
  const derive = (token: Uint8Array, attempt: Uint8Array): Buffer =>
    createHmac('sha256', secret).update(concat(token, attempt)).digest();

  function announce(account: string, ended: readonly string[]): void {
    for (const session of ended) bus.publish(accounts, 'ended', account, { session });
  }

  /** Decides about a token, whole within one transaction, so that of any number of uses at once one is the first. */
  async function decide(db: Database, exchange: Exchange): Promise<Outcome> {
    const { hash, next, nonce, proven, listed } = exchange;
    const now = unixSeconds(clock);
    const held = await find(db, hash);
    if (held === undefined || held.expires <= now) throw new Fault('unauthenticated');
    const [family] = await db.select().from(families).where(eq(families.id, held.family));
    if (family === undefined) throw new Fault('unauthenticated');
    if (family.ended !== null) throw new Fault('session_revoked');
    const { id: session, account } = family;
    const claims = { account, device: deviceId(family.device), session };
    const fresh = listed && proven && (await nonces.trySpend(db, nonce));

    if (listed && held.next === null) {
      if (!proven) throw new Fault('bad_proof');
      if (!fresh) throw new Fault('challenge_expired');
      const expires = now + limits.refreshSeconds;
      await db.update(refreshTokens).set({ next }).where(eq(refreshTokens.hash, hash));
      await db.insert(refreshTokens).values({ hash: next, family: session, expires });
      const usedDay = unixDay(clock);
      await db.update(families).set({ expires, usedDay }).where(eq(families.id, session));
      return { claims };
    }
    const repeated =
      fresh && held.next?.equals(next) === true && (await find(db, next))?.next === null;
    if (repeated) return { claims };
    // Committed, not thrown: the end of the family must outlast this call.
    await endFamily(db, session, now);
    return { ended: { account, session } };
  }

  return {
    announce,

    async begin(db, account, device) {
      const session = hex(randomBytes(16));
      const token = randomBytes(tokenBytes);
      const expires = unixSeconds(clock) + limits.refreshSeconds;
      const day = unixDay(clock);
      const days = { begunDay: day, usedDay: day };
      await db.insert(families).values({ id: session, account, device, ...days, expires });
      await db.insert(refreshTokens).values({ hash: digest(token), family: session, expires });
      const claims = { account, device, session };
      const ended = await endSurplus(db, claims, unixSeconds(clock));
      return { claims, token, ended };
    },

    async issue({ claims, token, ended }, removed = 'session_revoked') {
      const { account, device } = claims;
      announce(account, ended);
      const listed = (await devicesOf(bus, account)).map((cert) => cert.device);
      if (!listed.includes(device)) {
        const now = unixSeconds(clock);
        // This one alone: another device may have joined since the list was asked for.
        announce(account, await store.write((db) => endFamily(db, claims.session, now)));
        throw new Fault(removed);
      }
      return { access: await keys.sign(claims), refresh: base64url(token) };
    },

    async refresh({ refresh: text, attempt, nonce, deviceProof }) {
      const token = fromBase64url(text);
      if (token.length !== tokenBytes) throw new Fault('malformed');
      nonces.check(nonce);
      const hash = digest(token);
      const owner = await ownerOf(store.read, hash);
      if (owner === undefined) throw new Fault('unauthenticated');
      const { account, device } = owner;
      const devices = await devicesOf(bus, account);
      const about = aboutRefresh(token, attempt);
      const claim = { nonce, account, device, use: proofUses.refresh, about };
      const successor = derive(token, attempt ?? randomBytes(16));
      const exchange = {
        hash,
        next: digest(successor),
        nonce,
        proven: isProven(devices, claim, deviceProof),
        listed: devices.some((cert) => cert.device === device),
      };
      const outcome = await store.write((db) => decide(db, exchange));
      if ('ended' in outcome) {
        announce(outcome.ended.account, [outcome.ended.session]);
        throw new Fault('session_revoked');
      }
      return { access: await keys.sign(outcome.claims), refresh: base64url(successor) };
    },
  };
}

async function find(db: Database, hash: Buffer) {
  const [row] = await db.select().from(refreshTokens).where(eq(refreshTokens.hash, hash));
  return row;
}

/** Whose token it is: that never changes. */
async function ownerOf(db: Database, hash: Buffer) {
  const [row] = await db
    .select({ account: families.account, device: families.device })
    .from(refreshTokens)
    .innerJoin(families, eq(families.id, refreshTokens.family))
    .where(eq(refreshTokens.hash, hash));
  return row && { account: accountId(row.account), device: deviceId(row.device) };
}
