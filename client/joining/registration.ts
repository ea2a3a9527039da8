/**
 * Becoming a person on an island. docs/protocol/accounts.md §1, keys.md §1
 *
 * The password goes no further than Argon2id (A1). All keys, the backup codes and the record of the
 * account's keys are on the disk before the island hears of them, so that a registration whose answer
 * was lost is simply sent again, with a fresh nonce and fresh proofs.
 */
import { hashPassword } from '@island/protocol/crypto/password.ts';
import { proofUses, proveDevice } from '@island/protocol/crypto/session-proof.ts';
import { Fault, type FaultCode } from '@island/protocol/wire/fault.ts';
import { personName } from '@island/protocol/wire/ids.ts';
import { type JoinLink, parseIslandLink } from '@island/protocol/wire/island-link.ts';
import type { Answer, RequestText } from '@island/protocol/wire/routes.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import {
  type AccountRecord,
  accountKey,
  accountRow,
  openAccount,
  readAccount,
} from '../account/account.ts';
import { keepingText, keysPlace, needKeys } from '../account/account-keys.ts';
import { readUnshown, unshownPlace } from '../account/new-codes.ts';
import { insist } from '../insist.ts';
import { Problem } from '../problem.ts';
import { allPrekeyKeys } from '../ratchets/prekeys.ts';
import type { Credentials } from '../sign-in/credentials.ts';
import { withNonce } from '../sign-in/nonces.ts';
import { sessionRow } from '../sign-in/session.ts';
import type { Batch, Place, Storage } from '../storage/storage.ts';
import { call, type Transport } from '../transport/transport.ts';
import { enrolledRow, enrolmentOf } from './enrolment.ts';
import { discover, type Joining, pinIsland } from './joining-parts.ts';
import { makeAccount, readShares, sharesPlace } from './new-account.ts';

export interface Registered {
  account: AccountRecord;
  /** As they are shown. They stay in the home until `codesShown` (new-codes.ts). */
  codes: string[];
}

/**
 * Registers `name` by a link with an invite, or without one where the island is open or asks its
 * operator. Throws the island's faults (`invite_used`, `name_taken`, …), `bad_link`, `wrong_island`,
 * `unreachable`, `registered_already`. `approval_pending` says that the operator is asked: the same
 * again later goes on with the same keys. After a registration whose codes nobody has seen the same
 * again gives them once more.
 */
export async function register(
  joining: Joining,
  link: string,
  name: string,
  credentials: Credentials,
): Promise<Registered> {
  const { storage, platform, report } = joining;
  const invitation = openJoinLink(link);
  personName(name);
  const known = await readAccount(storage);
  if (known?.state === 'registered') {
    const codes = known.name === name ? await readUnshown(storage) : undefined;
    if (codes) return { account: known, codes };
    throw new Problem('registered_already', { name: known.name, home: storage.place });
  }
  const pinned = await pinIsland(joining, invitation);
  await using transport = platform.transport(pinned);
  const island = await discover(transport, invitation.caFingerprint);
  const begun = known && (await readShares(storage));
  const resumed = begun && known.name === name && known.root === pinned.root ? known : undefined;
  const ticket = invitation.invite !== undefined || 'grant' in credentials;
  if (!resumed) mustTakeIn(island.registration, ticket);
  report?.('hashing');
  const pending = resumed ?? (await makeAccount(joining, pinned, name, island.kdf));
  const shown = await newCredentials(joining, pending, credentials);
  report?.('registering');
  const tokens = await enrol(joining, transport, pending, {
    ...(invitation.invite !== undefined && { invite: invitation.invite }),
    credentials: shown,
  });
  const codes = await readUnshown(storage);
  if (!codes) throw new Fault('internal');
  const { password, ...rest } = pending;
  const account = { ...rest, ...('password' in credentials && { password }) };
  await storage.commit(await registeredBatch(storage, account, tokens, joining.now()));
  return { account: { ...account, state: 'registered' }, codes };
}

/** Throws `bad_link`. */
export function openJoinLink(link: string): JoinLink {
  try {
    const opened = parseIslandLink(link);
    if (opened.kind === 'join') return opened;
  } catch (cause) {
    throw new Problem('bad_link', {}, { cause });
  }
  throw new Problem('bad_link');
}

/** Said before anybody waits for keys: the island would say the same after them. */
function mustTakeIn(mode: Answer<'discovery'>['registration'], ticket: boolean): void {
  if (mode === 'closed') throw new Fault('registration_closed');
  if (mode === 'invite' && !ticket) throw new Fault('invite_needed');
}

/** The password as the island keeps it, or what stands in its place. */
async function newCredentials(
  { platform }: Joining,
  { password }: AccountRecord,
  credentials: Credentials,
): Promise<RequestText<'register'>['credentials']> {
  if ('grant' in credentials) return { grant: base64url(credentials.grant) };
  if (!password) throw new Fault('internal');
  const { salt, kdf } = password;
  const { auth, key } = await hashPassword(credentials.password, salt, kdf, platform.argon2id);
  return { salt: base64url(salt), kdf, auth: base64url(auth), key: base64url(key.public) };
}

/** Sends the registration until there is an answer: repeated, it is the very same to the island. */
async function enrol(
  joining: Joining,
  transport: Transport,
  pending: AccountRecord,
  shown: Pick<RequestText<'register'>, 'invite' | 'credentials'>,
) {
  const { storage, signal, report } = joining;
  const self = openAccount(pending);
  const { name, account, device, dsk, list } = self;
  const { record } = await needKeys(storage);
  const shares = (await readShares(storage)) ?? [];
  const send = async (nonce: Uint8Array) => {
    const claim = { nonce, account, device, use: proofUses.register, about: list.hash };
    return call(transport, 'register', {
      ...shown,
      name,
      account,
      device,
      ...(await enrolmentOf({ storage, transport, ...(signal && { signal }) }, self)),
      ...keepingText(record, shares),
      nonce: base64url(nonce),
      deviceProof: base64url(proveDevice(dsk, claim)),
    });
  };
  try {
    const waiting = () => report?.('waiting');
    return await insist(() => withNonce(transport, send, signal), { signal, onWaiting: waiting });
  } catch (error) {
    if (isRefusal(error)) await storage.commit({ remove: await everything(storage) });
    throw error;
  }
}

const refusals = new Set<FaultCode>([
  'registration_closed',
  'invite_needed',
  'invite_invalid',
  'invite_used',
  'invite_expired',
  'name_taken',
  'name_invalid',
  'approval_refused',
]);

/** The island has decided against it: the keys made for it are of no use. */
const isRefusal = (error: unknown): boolean => error instanceof Fault && refusals.has(error.code);

const everything = async (storage: Storage): Promise<Place[]> => [
  accountKey,
  keysPlace,
  sharesPlace,
  unshownPlace,
  ...(await allPrekeyKeys(storage)),
];

/** For the commit by which a home is that of somebody whom the island has taken in. */
export async function registeredBatch(
  storage: Storage,
  account: AccountRecord,
  tokens: { access: string; refresh: string },
  now: number,
): Promise<Batch> {
  return {
    put: [
      accountRow({ ...account, state: 'registered' }),
      sessionRow(tokens, now),
      await enrolledRow(storage),
    ],
    remove: [sharesPlace],
  };
}
