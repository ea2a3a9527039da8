/**
 * Joining an island and signing in. docs/protocol/accounts.md §1 to §3
 *
 * The password goes no further than Argon2id (A1). Keys are on the disk before the island hears of
 * them, so that a registration whose answer was lost is simply sent again.
 */
import {
  certHash,
  createDevice,
  dayOf,
  proveDik,
  signDeviceCert,
} from '@island/protocol/crypto/device.ts';
import {
  firstDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { checkKdf, hashPassword, type KdfParameters } from '@island/protocol/crypto/password.ts';
import { ed25519, equal, randomBytes } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { accountId, deviceId, personName } from '@island/protocol/wire/ids.ts';
import { type JoinLink, parseIslandLink } from '@island/protocol/wire/island-link.ts';
import type { Answer } from '@island/protocol/wire/routes.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import { type AccountRecord, accountKey, accountRow, openAccount, readAccount } from './account.ts';
import { backoff, pause } from './backoff.ts';
import type { Pinned, Platform } from './platform.ts';
import { allPrekeyKeys, makePrekeys, readStanding, standingRow } from './prekeys.ts';
import { Problem, passes } from './problem.ts';
import { sessionRow } from './session.ts';
import type { Storage } from './storage.ts';
import { call, retryAfter, type Transport } from './transport.ts';

export interface Joining {
  storage: Storage;
  platform: Platform;
  /** Unix milliseconds. */
  now: () => number;
  /** Says what is being done, for a person who waits. */
  report?: (step: 'connecting' | 'hashing' | 'registering' | 'waiting') => void;
  signal?: AbortSignal;
}

/** Attempts of one registration at an island that is away for a moment. */
const attempts = 8;
const version = 1;

/**
 * Registers `name` with an invite link. Throws the island's faults (`invite_used`, `name_taken`, …),
 * `bad_link`, `wrong_island`, `unreachable`, `registered_already`.
 */
export async function register(
  joining: Joining,
  link: string,
  name: string,
  password: string,
): Promise<AccountRecord> {
  const { storage, platform, report } = joining;
  const invitation = openLink(link);
  personName(name);
  const known = await readAccount(storage);
  if (known?.state === 'registered')
    throw new Problem('registered_already', { name: known.name, home: storage.place });
  report?.('connecting');
  const root = await platform.fetchRoot(invitation.address, invitation.caFingerprint);
  const pinned = { address: invitation.address, root };
  await using transport = platform.transport(pinned);
  const island = await discover(transport, invitation.caFingerprint);
  const resumed = known?.name === name && known.root === root ? known : undefined;
  const pending = resumed ?? (await prepare(joining, pinned, name, island.kdf));
  report?.('hashing');
  const { auth } = await hashPassword(password, pending.salt, pending.kdf, platform.argon2id);
  report?.('registering');
  const tokens = await enrol(joining, transport, pending, invitation.invite, auth);
  return settle(joining, pending, tokens);
}

/** Throws `bad_link`. */
export function openLink(link: string): JoinLink & { invite: string } {
  try {
    const opened = parseIslandLink(link);
    if (opened.kind === 'join' && opened.invite !== undefined) {
      return { ...opened, invite: opened.invite };
    }
  } catch (cause) {
    throw new Problem('bad_link', {}, { cause });
  }
  throw new Problem('bad_link');
}

/** What the island says of itself must agree with the certificate that proved it. */
async function discover(
  transport: Transport,
  fingerprint: Uint8Array,
): Promise<Answer<'discovery'>> {
  const found = await call(transport, 'discovery', {});
  if (!equal(found.caFingerprint, fingerprint))
    throw new Problem('island_differs', { address: transport.address });
  if (!found.versions.includes(version)) throw new Fault('unknown_version');
  checkKdf(found.kdf);
  return found;
}

/** Makes the keys of a new account and commits them, with everything that will be published. */
async function prepare(
  joining: Joining,
  pinned: Pinned,
  name: string,
  kdf: KdfParameters,
): Promise<AccountRecord> {
  const { storage, now } = joining;
  const account = accountId(hex(randomBytes(16)));
  const aik = ed25519.generate();
  const device = createDevice({ account, device: deviceId(1) });
  const cert = signDeviceCert(device, aik.public, dayOf(now()));
  const pending: AccountRecord = {
    state: 'pending',
    ...pinned,
    name,
    account,
    device: device.device,
    generation: 1,
    aik: aik.private,
    dsk: device.dsk.private,
    dik: device.dik.private,
    list: signDeviceList(firstDeviceList(cert, name), aik),
    kdf,
    salt: randomBytes(16),
  };
  const made = makePrekeys(device.dsk, now(), { standing: true, batch: true });
  const { signedPrekey, lastResort, batch } = made;
  if (!signedPrekey || !lastResort || !batch) throw new Fault('internal');
  const publish = {
    signedPrekey: base64url(signedPrekey),
    lastResort: base64url(lastResort),
    batch: base64url(batch),
  };
  await storage.commit({
    remove: await allPrekeyKeys(storage),
    put: [accountRow(pending), ...made.rows, standingRow({ next: made.next, publish })],
  });
  return pending;
}

/** Sends the registration until there is an answer: repeated, it is the very same to the island. */
async function enrol(
  joining: Joining,
  transport: Transport,
  pending: AccountRecord,
  invite: string,
  auth: Uint8Array,
) {
  const { storage, signal, report } = joining;
  const { signedPrekey, lastResort, batch } = (await readStanding(storage))?.value.publish ?? {};
  if (!signedPrekey || !lastResort || !batch) throw new Fault('internal');
  const { dik } = openAccount(pending);
  const [cert] = openDeviceList(pending.list).devices;
  if (!cert) throw new Fault('internal');
  for (let attempt = 0; ; attempt++) {
    try {
      const { challenge } = await call(transport, 'challenge', {});
      return await call(transport, 'register', {
        invite,
        name: pending.name,
        account: pending.account,
        device: pending.device,
        salt: base64url(pending.salt),
        kdf: pending.kdf,
        auth: base64url(auth),
        list: base64url(pending.list),
        challenge: base64url(challenge),
        proof: base64url(proveDik(dik, challenge, certHash(cert))),
        signedPrekey,
        lastResort,
        batch,
      });
    } catch (error) {
      if (isRefusal(error))
        await storage.commit({ remove: [accountKey, ...(await allPrekeyKeys(storage))] });
      const lapsed = error instanceof Fault && error.code === 'challenge_expired';
      if (attempt >= attempts || signal?.aborted || !(passes(error) || lapsed)) throw error;
      report?.('waiting');
      await pause(backoff(attempt, Math.min(retryAfter(error) ?? 0, 10_000)), signal);
    }
  }
}

/** The island has decided against it: the keys made for it are of no use. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Fault &&
  ['invite_invalid', 'invite_used', 'invite_expired', 'name_taken', 'name_invalid'].includes(
    error.code,
  );

async function settle(
  joining: Joining,
  pending: AccountRecord,
  tokens: { access: string; refresh: string },
): Promise<AccountRecord> {
  const { storage, now } = joining;
  const registered: AccountRecord = { ...pending, state: 'registered' };
  const made = await readStanding(storage);
  if (!made) throw new Fault('internal');
  await storage.commit({
    put: [
      accountRow(registered),
      sessionRow(tokens, now()),
      standingRow({ next: made.value.next }),
    ],
  });
  return registered;
}

/**
 * Signs this device in again. Throws `wrong_credentials`, `not_registered`, and `kdf_downgrade` when
 * the island asks for a weaker hash of the password than this device has used before.
 */
export async function login(joining: Joining, password: string): Promise<AccountRecord> {
  const { storage, platform, now, report } = joining;
  const known = await readAccount(storage);
  if (!known) throw new Problem('no_device_keys', { home: storage.place });
  report?.('connecting');
  await using transport = platform.transport(known);
  const { name, device } = known;
  const { salt, kdf } = await call(transport, 'prelogin', { name });
  report?.('hashing');
  const { auth } = await hashPinned(joining, known, password, salt, kdf);
  report?.('registering');
  const { account, ...tokens } = await call(transport, 'login', {
    name,
    auth: base64url(auth),
    device,
  });
  if (account !== known.account) throw new Problem('other_account', { home: storage.place });
  if (known.state === 'pending') return settle(joining, known, tokens);
  await storage.commit({ put: [sessionRow(tokens, now())] });
  return known;
}

async function hashPinned(
  { platform }: Joining,
  known: AccountRecord,
  password: string,
  salt: Uint8Array,
  kdf: KdfParameters,
) {
  try {
    return await hashPassword(password, salt, kdf, platform.argon2id, known.kdf);
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'kdf_too_weak') throw cause;
    throw new Problem('kdf_downgrade', { address: known.address }, { cause });
  }
}
