/**
 * Registration, one flow over two databases: reserve (here) → enrol (directory) → activate (here).
 * Each step can be repeated, so whoever lost the answer sends the very same registration again, with a
 * fresh nonce; the same is how somebody hears what the operator decided. docs/protocol/accounts.md §1
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type DeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { checkKdf } from '@island/protocol/crypto/password.ts';
import { checkDeviceProof, proofUses } from '@island/protocol/crypto/session-proof.ts';
import { concat } from '@island/protocol/wire/bytes.ts';
import { Fault, type FaultCode } from '@island/protocol/wire/fault.ts';
import { personName } from '@island/protocol/wire/ids.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { directory } from '../../directory/contract.ts';
import type { Bus } from '../../kit/bus.ts';
import { type Clock, unixSeconds } from '../../kit/clock.ts';
import type { CallRequest } from '../../kit/contract.ts';
import type { Sealing } from '../../kit/sealing.ts';
import type { accounts } from '../contract.ts';
import type { AccountsStore } from '../database.ts';
import { type CheckedRecord, checkKeeping, storeFirst } from '../devices/records.ts';
import {
  activate,
  checkNameFree,
  findPerson,
  type Person,
  release,
  renew,
  reserve,
} from '../people.ts';
import type { Sessions, Tokens } from '../sessions/sessions.ts';
import type { Attempts } from '../sign-in/attempts.ts';
import type { Nonces } from '../sign-in/nonces.ts';
import type { KeptPassword, Passwords } from '../sign-in/passwords.ts';
import { checkDecided } from './applicants.ts';
import { inviteHash, knowsInvite } from './invites.ts';
import { admit, checkAdmission, type Ticket } from './policy.ts';

export type RegisterRequest = CallRequest<typeof accounts, 'register'>;

export interface Registration {
  store: AccountsStore;
  bus: Bus;
  clock: Clock;
  nonces: Nonces;
  passwords: Passwords;
  sessions: Sessions;
  attempts: Pick<Attempts, 'admitStranger'>;
  sealing: Sealing;
}

/** A registration that agrees with itself, and comes from the device that it names. */
interface Application {
  request: RegisterRequest;
  ticket: Ticket;
  checked: CheckedRecord;
  /** What makes a repetition the very same, besides the password or the grant. */
  hash: Buffer;
}

/**
 * The directory may have committed before it failed so, or only wants to be asked with a fresh challenge: the
 * reservation stays, with the invite or the grant that it took, to be taken up again.
 */
const undecided: readonly FaultCode[] = [
  'unavailable',
  'internal',
  'storage_full',
  'rate_limited',
  'challenge_expired',
];

/** Of equal requests at once, one that comes late finds the other's reservation, and then that it is completed. */
const rounds = 3;

export async function register(tools: Registration, request: RegisterRequest): Promise<Tokens> {
  const { store, nonces, sessions } = tools;
  const application = check(tools, request);
  nonces.show(request.nonce);
  let reserved = false;
  for (let round = 0; round < rounds && !reserved; round++) {
    reserved = await take(tools, application);
  }
  if (!reserved) throw new Fault('unavailable');
  await enrol(tools, request);
  const begun = await store.write(async (db) => {
    // Released by an equal request that the directory refused meanwhile: the next repetition begins anew.
    if (!(await activate(db, request.account))) throw new Fault('unavailable');
    await nonces.spend(db, request.nonce);
    return sessions.begin(db, request.account, request.device);
  });
  return sessions.issue(begun, 'account_exists');
}

/** All that can be refused without looking anything up. */
function check({ nonces }: Registration, request: RegisterRequest): Application {
  const { name, credentials, invite, nonce } = request;
  personName(name);
  if ('kdf' in credentials) checkKdf(credentials.kdf);
  nonces.check(nonce);
  const list = openDeviceList(request.list);
  checkProof(list, request);
  const checked = checkKeeping(request, list);
  if (checked.record.version !== 1) throw new Fault('record_broken');
  const grant = 'grant' in credentials ? credentials.grant : undefined;
  return { request, ticket: { invite, grant }, checked, hash: registrationHash(request) };
}

/** Throws `bad_proof` unless the device signed the nonce. Whether the list says what a first one says the directory checks. */
function checkProof(list: DeviceList, request: RegisterRequest): void {
  const { account, device, nonce, deviceProof } = request;
  const cert = list.devices.find((known) => known.device === device);
  if (cert === undefined || list.account !== account) throw new Fault('malformed');
  const claim = { nonce, account, device, use: proofUses.register, about: list.hash };
  checkDeviceProof(cert.dsk, claim, deviceProof);
}

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

function registrationHash(request: RegisterRequest): Buffer {
  const { name, account, device, credentials, shares } = request;
  const hash = createHash('sha256').update(`${name}\0${account}\0${device}\0`);
  if ('kdf' in credentials) {
    const { memory, passes, lanes } = credentials.kdf;
    hash.update(`${memory}\0${passes}\0${lanes}\0`).update(credentials.salt);
  }
  const { list, record, signedPrekey, lastResort, batch } = request;
  const each = concat(...shares.flatMap(({ loc, share }) => [loc, share]));
  const parts = [list, record, each, signedPrekey, lastResort, batch].map(digest);
  return hash.update(concat(...parts)).digest();
}

/** True when the person is reserved or there already by this very registration, and may go on. */
async function take(tools: Registration, application: Application): Promise<boolean> {
  const { store, clock } = tools;
  const { request, ticket } = application;
  const now = unixSeconds(clock);
  const known = await findPerson(store.read, request.account);
  if (known !== undefined) {
    if (!isRepetition(known, application)) await refuseOther(tools, application, now);
    checkDecided(known);
    return repeat(tools, application, known);
  }
  // Cheap refusals first: nobody whom the island would not take in makes it hash.
  await checkAdmission(store.read, ticket, now);
  await checkNameFree(store.read, request.name);
  // What everybody may ask for is kept until somebody decides, or for ever.
  const invited = ticket.invite !== undefined || ticket.grant !== undefined;
  if (!invited) await tools.attempts.admitStranger(request.origin);
  const password = await makePassword(tools, request);
  const state = await reserveFor(tools, application, password, now);
  if (state !== undefined) checkDecided({ state });
  return state !== undefined;
}

/** The state of the new person, or none when the account is there already: then it may be a repetition. */
function reserveFor(
  { store, sealing }: Registration,
  { request, ticket, checked, hash }: Application,
  password: KeptPassword | undefined,
  now: number,
): Promise<Person['state'] | undefined> {
  const { account, name, credentials } = request;
  const { salt, kdf } = checked.record.codes;
  return store.write(async (db) => {
    if ((await findPerson(db, account)) !== undefined) return undefined;
    const admission = await admit(db, ticket, now);
    const person = {
      account,
      name,
      ...('kdf' in credentials
        ? { salt: Buffer.from(credentials.salt), ...credentials.kdf }
        : { salt: null, memory: null, passes: null, lanes: null }),
      verifier: password?.verifier ?? null,
      passwordKey: password?.passwordKey ?? null,
      codeSalt: Buffer.from(salt),
      codeMemory: kdf.memory,
      codePasses: kdf.passes,
      codeLanes: kdf.lanes,
      registration: hash,
      ...admission,
    };
    await reserve(db, person, now);
    await storeFirst(db, sealing, checked);
    return admission.state;
  });
}

/**
 * An active person must show the same password, on a device that is still theirs. Before that nothing is lost if the person typed
 * another one this time: it takes the place of the first. A grant was taken the first time, and the device
 * has shown that it is the same.
 */
async function repeat(
  tools: Registration,
  { request }: Application,
  known: Person,
): Promise<boolean> {
  const { store, clock, passwords } = tools;
  const { credentials, account } = request;
  if (known.state === 'active') {
    // Nobody who lost the answer has turned that on: a registration is no way around a second factor.
    if (known.totpSecret !== null) throw new Fault('account_exists');
    if ('grant' in credentials) return true;
    const right = await passwords.matches(askerOf(request), known, credentials.auth);
    if (!right) throw new Fault('account_exists');
    return true;
  }
  const password = await makePassword(tools, request);
  return store.write((db) => renew(db, account, password ?? {}, unixSeconds(clock)));
}

async function makePassword(
  { passwords }: Registration,
  request: RegisterRequest,
): Promise<KeptPassword | undefined> {
  const { credentials, account } = request;
  if ('grant' in credentials) return undefined;
  return passwords.make(askerOf(request), account, credentials);
}

/** Those who hold the same invite wait for one another, and those who come without one from the same address. */
const askerOf = ({ invite, origin }: RegisterRequest): string =>
  invite === undefined ? base64url(origin) : `register.${base64url(inviteHash(invite))}`;

/**
 * Only who has all of it, also the invite, can try: so this is no way around the limits of sign-in. Who has
 * another kind of credentials than the first time sends another registration.
 */
function isRepetition(known: Person, { ticket, hash }: Application): boolean {
  const { registration, invite, oidcSubject } = known;
  const given = ticket.invite === undefined ? null : inviteHash(ticket.invite);
  const sameInvite = invite === null || given === null ? invite === given : invite.equals(given);
  const sameKind = (oidcSubject === null) === (ticket.grant === undefined);
  return registration !== null && timingSafeEqual(registration, hash) && sameInvite && sameKind;
}

/** Nobody whom the island would not take in learns whether an account exists. */
async function refuseOther(
  { store }: Registration,
  { ticket }: Application,
  now: number,
): Promise<never> {
  const { invite } = ticket;
  if (invite === undefined) await checkAdmission(store.read, ticket, now);
  else if (!(await knowsInvite(store.read, inviteHash(invite)))) throw new Fault('invite_invalid');
  throw new Fault('account_exists');
}

async function enrol({ store, bus }: Registration, request: RegisterRequest): Promise<void> {
  const { name, account, device, list, challenge, proof, signedPrekey, lastResort, batch } =
    request;
  const enrolment = { name, account, device, list, challenge, proof };
  try {
    await bus.call(directory, 'enrol', { ...enrolment, signedPrekey, lastResort, batch });
  } catch (error) {
    if (error instanceof Fault && !undecided.includes(error.code)) {
      await store.write((db) => release(db, account));
    }
    throw error;
  }
}
