/**
 * Registration, one flow over two databases: reserve (here) → enrol (directory) → activate (here).
 * Each step can be repeated, so whoever lost the answer sends the very same registration again.
 * docs/protocol/accounts.md §1
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { checkKdf } from '@island/protocol/crypto/password.ts';
import { concat, utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault, type FaultCode } from '@island/protocol/wire/fault.ts';
import { personName } from '@island/protocol/wire/ids.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { type Clock, unixSeconds } from '../kit/clock.ts';
import type { CallRequest } from '../kit/contract.ts';
import type { accounts } from './contract.ts';
import type { AccountsStore } from './database.ts';
import { checkInvite, inviteHash, knowsInvite } from './invites.ts';
import type { Passwords } from './passwords.ts';
import {
  activate,
  checkNameFree,
  findPerson,
  type Person,
  release,
  renew,
  reserve,
} from './people.ts';
import type { Sessions, Tokens } from './sessions.ts';

export type RegisterRequest = CallRequest<typeof accounts, 'register'>;

export interface Registration {
  store: AccountsStore;
  bus: Bus;
  clock: Clock;
  passwords: Passwords;
  sessions: Sessions;
}

/** The directory may have committed before it failed so: the reservation stays, to be taken up again. */
const undecided: readonly FaultCode[] = ['unavailable', 'internal', 'storage_full', 'rate_limited'];

/** Of equal requests at once, one that comes late finds the other's reservation, and then that it is completed. */
const rounds = 3;

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** What makes a repetition the very same, besides the password, which only its verifier may know. */
function registrationHash(request: RegisterRequest): Buffer {
  const { kdf, signedPrekey, lastResort, batch } = request;
  const { memory, passes, lanes } = kdf;
  return createHash('sha256')
    .update(`${request.name}\0${request.device}\0${memory}\0${passes}\0${lanes}\0`)
    .update(concat(request.salt, utf8Bytes(request.account)))
    .update(concat(...[request.list, signedPrekey, lastResort, batch].map(digest)))
    .digest();
}

const same = (a: Buffer | null, b: Buffer): boolean =>
  a !== null && a.length === b.length && timingSafeEqual(a, b);

export async function register(tools: Registration, request: RegisterRequest): Promise<Tokens> {
  const { store, sessions } = tools;
  personName(request.name);
  checkKdf(request.kdf);
  const hashes = { invite: inviteHash(request.invite), registration: registrationHash(request) };
  let admitted = false;
  for (let round = 0; round < rounds && !admitted; round++) {
    admitted = await admit(tools, request, hashes);
  }
  if (!admitted) throw new Fault('unavailable');
  await enrol(tools, request);
  const active = await store.write((db) => activate(db, request.account));
  // Released by an equal request that the directory refused meanwhile: the next repetition begins anew.
  if (!active) throw new Fault('unavailable');
  return sessions.begin(request.account, request.device);
}

type Hashes = { invite: Buffer; registration: Buffer };

/** True when the person is reserved or there already by this very registration. */
async function admit(
  tools: Registration,
  request: RegisterRequest,
  hashes: Hashes,
): Promise<boolean> {
  const { store, clock, passwords } = tools;
  const asker = `register.${base64url(hashes.invite)}`;
  const now = unixSeconds(clock);
  const known = await findPerson(store.read, request.account);
  if (known !== undefined) {
    if (!isRepetition(known, hashes)) {
      if (!(await knowsInvite(store.read, hashes.invite))) throw new Fault('invite_invalid');
      throw new Fault('account_exists');
    }
    return repeat(tools, request, known, asker);
  }
  // Cheap refusals first: nobody without a good invite makes the island hash.
  await checkInvite(store.read, hashes.invite, now);
  await checkNameFree(store.read, request.name);
  const verifier = await passwords.make(asker, request.auth);
  const person = {
    account: request.account,
    name: request.name,
    salt: Buffer.from(request.salt),
    ...request.kdf,
    verifier,
    ...hashes,
  };
  return store.write((db) => reserve(db, person, now));
}

/**
 * An active person must show the same password. Before that nothing is lost if the person typed
 * another one this time: it takes the place of the first.
 */
async function repeat(
  { store, clock, passwords }: Registration,
  request: RegisterRequest,
  known: Person,
  asker: string,
): Promise<boolean> {
  if (known.state === 'active') {
    const right = await passwords.check(asker, known.verifier, request.auth);
    if (!right) throw new Fault('account_exists');
    return true;
  }
  const verifier = await passwords.make(asker, request.auth);
  return store.write((db) => renew(db, request.account, verifier, unixSeconds(clock)));
}

/** Only who holds the invite can try, so this is no way around the limits of sign-in. */
const isRepetition = (known: Person, hashes: Hashes): boolean =>
  same(known.invite, hashes.invite) && same(known.registration, hashes.registration);

async function enrol({ store, bus }: Registration, request: RegisterRequest): Promise<void> {
  const { invite: _invite, salt: _salt, kdf: _kdf, auth: _auth, ...enrolment } = request;
  try {
    await bus.call(directory, 'enrol', enrolment);
  } catch (error) {
    if (error instanceof Fault && !undecided.includes(error.code)) {
      await store.write((db) => release(db, request.account));
    }
    throw error;
  }
}
