/**
 * The island's word for a device that sends: certificates of a day, signed by keys that the root signs. Root
 * and keys are sealed at rest; the root's public half is pinned by clients. docs/protocol/dm.md §9
 *
 * Invariant: a certificate names a device as the present list has it, or is not made.
 */
import { randomBytes } from 'node:crypto';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import {
  type CertificateSigner,
  issueCertificate,
  signSenderKey,
} from '@island/protocol/crypto/sender-certificate.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, DeviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { desc, lt } from 'drizzle-orm';
import { type Clock, unixDay, unixSeconds } from '../kit/clock.ts';
import { openSealing, type Place } from '../kit/sealing.ts';
import type { Vault } from '../kit/vault.ts';
import type { DirectoryStore } from './database.ts';
import { currentState } from './device-lists.ts';
import { senderKeys } from './schema.ts';

export interface SenderCertificates {
  /** Public half of the root, 32 bytes: never another on one island. */
  readonly root: Uint8Array;
  /** Throws `unknown_device` for one that is not on the present list. */
  issue(account: AccountId, device: DeviceId): Promise<Uint8Array>;
  /** Makes the next key when it is due. Any number of calls at once do it once. */
  rotate(): Promise<void>;
}

interface Signer extends CertificateSigner {
  kid: number;
  nbfDay: number;
}

const table = 'sender_keys';
const placeOf = (kid: number): Place => ({ table, column: 'sealed', row: `${kid}` });
/** Certificates begin with an hour, so that they do not tell recipients when their sender's device came online. */
const hour = 3600;

export async function openSenderCertificates(parts: {
  store: DirectoryStore;
  vault: Vault;
  clock: Clock;
}): Promise<SenderCertificates> {
  const { store, vault, clock } = parts;
  const sealing = await openSealing(vault, [table]);
  const [newest] = await store.read
    .select()
    .from(senderKeys)
    .orderBy(desc(senderKeys.kid))
    .limit(1);
  const root = ed25519.fromSeed(await vault.secrets.seed('sender-root', newest === undefined));
  let rotating: Promise<void> | undefined;
  let signer: Signer | undefined;
  if (newest !== undefined) {
    const { kid, sealed, signed, nbfDay } = newest;
    const pair = ed25519.fromSeed(sealing.open(placeOf(kid), sealed));
    signer = { kid, pair, bytes: signed, nbfDay };
  }

  /** Also after a long stop, and when the clock was put back. */
  const isDue = (): boolean => {
    const age = signer === undefined ? -1 : unixDay(clock) - signer.nbfDay;
    return age < 0 || age >= limits.senderKeyRotationDays;
  };

  async function make(): Promise<void> {
    const kid = (signer?.kid ?? 0) + 1;
    const nbfDay = unixDay(clock);
    const seed = new Uint8Array(randomBytes(32));
    const pair = ed25519.fromSeed(seed);
    const days = { nbfDay, expDay: nbfDay + limits.senderKeyDays };
    const bytes = signSenderKey(root, { kid, public: pair.public, ...days });
    const sealed = sealing.seal(placeOf(kid), seed);
    await store.write(async (db) => {
      await db.insert(senderKeys).values({ kid, sealed, signed: Buffer.from(bytes), nbfDay });
      // What they signed stays good without them.
      await db.delete(senderKeys).where(lt(senderKeys.kid, kid));
    });
    signer = { kid, pair, bytes, nbfDay };
  }

  async function rotate(): Promise<void> {
    if (!isDue()) return;
    rotating ??= make().finally(() => {
      rotating = undefined;
    });
    await rotating;
  }

  await rotate();
  return {
    root: root.public,
    rotate,
    async issue(account, device) {
      await rotate();
      if (signer === undefined) throw new TypeError('no key that signs certificates');
      const { name, aik, epoch, devices } = await currentState(store.read, account);
      const cert = devices.find((entry) => entry.device === device);
      if (cert === undefined) throw new Fault('unknown_device');
      const { dsk, dik } = cert;
      const notBefore = unixSeconds(clock) - (unixSeconds(clock) % hour);
      const sender = { name, account, device, aik, dsk, dik, listEpoch: epoch };
      return issueCertificate(signer, sender, notBefore);
    },
  };
}
