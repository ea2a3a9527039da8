/**
 * Nonces: what a signature that asks for a session is over. Nothing is stored until one has given
 * something; then its hash is, until it would have ended anyway. docs/protocol/accounts.md §4
 *
 *     nonce = random 16 ‖ u64 expires (Unix seconds) ‖ HMAC-SHA-256( key, "nonce" ‖ 0x00 ‖ random ‖ expires )[0..16]
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { concat, Reader, utf8Bytes, Writer } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { nonceBytes } from '@island/protocol/wire/route.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { lt } from 'drizzle-orm';
import { type Clock, unixSeconds } from '../../kit/clock.ts';
import type { Database } from '../database.ts';
import { spentNonces } from '../schema.ts';

export interface Nonces {
  make(): Uint8Array<ArrayBuffer>;
  /** Throws `challenge_expired` for a nonce that is over or not of this island. Whether it is spent only `spend` says. */
  check(nonce: Uint8Array): void;
  /**
   * The same, and for a nonce that was shown before with what is right: a request that was refused all the same, by
   * a limit of tries or for its second factor, is good for nothing when somebody who recorded it sends it again.
   */
  show(nonce: Uint8Array): void;
  /**
   * Belongs into the transaction that gives what the nonce was for: of any number of uses at once one is the first.
   * Throws `challenge_expired` like `check`, and for a nonce that is spent.
   */
  spend(db: Database, nonce: Uint8Array): Promise<void>;
  /** The same, but answers false for one that is spent. */
  trySpend(db: Database, nonce: Uint8Array): Promise<boolean>;
}

/** Shown and not over, in this process; beyond so many the oldest are forgotten. */
const mostShown = 50_000;
const label = utf8Bytes('nonce\0');
const randomLength = 16;
const macLength = 16;

/** @param key 32 bytes */
export function createNonces(key: Uint8Array, clock: Clock): Nonces {
  const mac = (fields: Uint8Array): Buffer =>
    createHmac('sha256', key).update(concat(label, fields)).digest().subarray(0, macLength);

  /** Unix seconds at which it ends. */
  function endOf(nonce: Uint8Array): number {
    const from = new Reader(nonce);
    const fields = from.raw(nonceBytes - macLength);
    if (!timingSafeEqual(mac(fields), from.raw(macLength))) throw new Fault('challenge_expired');
    from.end();
    const expires = new Reader(fields.subarray(randomLength)).u64();
    if (expires <= unixSeconds(clock)) throw new Fault('challenge_expired');
    return expires;
  }

  async function trySpend(db: Database, nonce: Uint8Array): Promise<boolean> {
    const expires = endOf(nonce);
    const hash = createHash('sha256').update(nonce).digest();
    const spent = await db
      .insert(spentNonces)
      .values({ hash, expires })
      .onConflictDoNothing()
      .returning({ hash: spentNonces.hash });
    return spent.length > 0;
  }

  /** When each that was shown ends, by its random part; oldest first. */
  const shown = new Map<string, number>();

  function show(nonce: Uint8Array): void {
    const expires = endOf(nonce);
    const key = base64url(nonce.subarray(0, randomLength));
    if (shown.has(key)) throw new Fault('challenge_expired');
    const now = unixSeconds(clock);
    for (const [oldest, ends] of shown) {
      if (ends > now && shown.size < mostShown) break;
      shown.delete(oldest);
    }
    shown.set(key, expires);
  }

  return {
    show,
    make() {
      const expires = unixSeconds(clock) + limits.nonceSeconds;
      const fields = new Writer(24).raw(randomBytes(randomLength)).u64(expires).done();
      return new Uint8Array(concat(fields, mac(fields)));
    },
    check(nonce) {
      endOf(nonce);
    },
    async spend(db, nonce) {
      if (!(await trySpend(db, nonce))) throw new Fault('challenge_expired');
    },
    trySpend,
  };
}

/** @param now Unix seconds */
export async function forgetNonces(db: Database, now: number): Promise<void> {
  await db.delete(spentNonces).where(lt(spentNonces.expires, now));
}
