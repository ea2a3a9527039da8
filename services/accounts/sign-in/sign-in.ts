/**
 * Sign-in. An unknown name, a wrong password, a wrong proof and a device that is not on the account's list
 * get the same answer after the same work; only who has all of them right hears of a second factor.
 * docs/protocol/accounts.md §3, §7
 */
import { createHmac } from 'node:crypto';
import { kdfFloor } from '@island/protocol/crypto/password.ts';
import { aboutLogin, proofUses } from '@island/protocol/crypto/session-proof.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import type { Bus } from '../../kit/bus.ts';
import { unixSeconds } from '../../kit/clock.ts';
import type { CallAnswer, CallRequest } from '../../kit/contract.ts';
import { spendGrant, subjectOf } from '../admission/grants.ts';
import type { accounts } from '../contract.ts';
import type { AccountsStore, Database } from '../database.ts';
import { devicesOf, isProven } from '../devices/devices.ts';
import { createJoining } from '../devices/joinings.ts';
import { findByName, findPerson, type Person } from '../people.ts';
import type { Sessions, Tokens } from '../sessions/sessions.ts';
import type { SigningKeys } from '../sessions/signing-keys.ts';
import type { Nonces } from './nonces.ts';
import type { Passwords } from './passwords.ts';
import { type Seconds, type Weighed, weigh } from './second-factor.ts';

export interface SignIn extends Seconds {
  store: AccountsStore;
  bus: Bus;
  nonces: Nonces;
  passwords: Passwords;
  sessions: Sessions;
  keys: SigningKeys;
  /** 32 bytes: what is invented for an unknown name stays the same. */
  invention: Uint8Array;
}

type LoginRequest = CallRequest<typeof accounts, 'login'>;
type JoiningRequest = CallRequest<typeof accounts, 'beginJoining'>;
/** What shows which device asks. */
type Shown = Pick<LoginRequest, 'device' | 'deviceProof'>;

/** 16 bytes that a name alone decides. */
const invent = (secret: Uint8Array, purpose: 'salt' | 'codes' | 'account', name: string) =>
  new Uint8Array(
    createHmac('sha256', secret).update(`${purpose}\0${name}`).digest().subarray(0, 16),
  );

async function findActive(store: AccountsStore, name: string): Promise<Person | undefined> {
  const person = await findByName(store.read, name);
  return person?.state === 'active' ? person : undefined;
}

/** Who signs in with the organisation has no salt: it is invented, as for an unknown name. */
export async function prelogin(
  { store, invention }: Pick<SignIn, 'store' | 'invention'>,
  name: string,
): Promise<CallAnswer<typeof accounts, 'prelogin'>> {
  const invented = {
    salt: invent(invention, 'salt', name),
    kdf: { ...kdfFloor },
    codes: { salt: invent(invention, 'codes', name), kdf: { ...kdfFloor } },
  };
  const person = await findActive(store, name);
  if (person === undefined) return invented;
  const { salt, memory, passes, lanes, codeSalt, codeMemory, codePasses, codeLanes } = person;
  const codes = {
    salt: new Uint8Array(codeSalt),
    kdf: { memory: codeMemory, passes: codePasses, lanes: codeLanes },
  };
  if (salt === null || memory === null || passes === null || lanes === null)
    return { ...invented, codes };
  return { salt: new Uint8Array(salt), kdf: { memory, passes, lanes }, codes };
}

/** A session for a device that is on the list. */
export async function login(
  tools: SignIn,
  request: LoginRequest,
): Promise<Tokens & { account: AccountId }> {
  const { store, clock, nonces, sessions } = tools;
  const { device, nonce, second, origin } = request;
  const person = await identify(tools, request, request);
  const account = accountId(person.account);
  const weighed = await weigh(tools, person, second, { origin, device });
  const begun = await store.write(async (db) => {
    await nonces.spend(db, nonce);
    await stillHolds(db, person);
    await takeGrant(db, request, unixSeconds(clock));
    await weighed.take(db);
    return sessions.begin(db, account, device);
  });
  await forgive(tools, request, weighed);
  return { account, ...(await sessions.issue(begun, 'wrong_credentials')) };
}

/** For somebody without a device. What a backup code releases stays with the joining until it is done. */
export async function beginJoining(
  tools: SignIn,
  request: JoiningRequest,
): Promise<CallAnswer<typeof accounts, 'beginJoining'>> {
  const { store, clock, nonces, keys } = tools;
  const { nonce, second, origin } = request;
  const person = await identify(tools, request);
  const account = accountId(person.account);
  const weighed = await weigh(tools, person, second, { origin });
  const joining = await store.write(async (db) => {
    const now = unixSeconds(clock);
    await nonces.spend(db, nonce);
    await stillHolds(db, person);
    await takeGrant(db, request, now);
    return createJoining(db, tools.sealing, account, now, await weighed.take(db));
  });
  await forgive(tools, request, weighed);
  return { account, joining: await keys.signJoining({ account, joining }) };
}

/** The person, if everything that was shown is right. Throws `wrong_credentials` otherwise, whatever was not. */
async function identify(tools: SignIn, request: JoiningRequest, shown?: Shown): Promise<Person> {
  const { store, bus, nonces, attempts, invention } = tools;
  const { name, nonce, origin } = request;
  nonces.check(nonce);
  await attempts.admit('password', name, origin).catch((error: unknown) => {
    nonces.show(nonce);
    throw error;
  });
  const person = await findActive(store, name);
  const account =
    person === undefined
      ? accountId(hex(invent(invention, 'account', name)))
      : accountId(person.account);
  // All of it always: how long it takes must not say which of them failed.
  const [right, proven] = await Promise.all([
    hasShown(tools, request, person, shown?.device ?? 0),
    shown === undefined || provesDevice(bus, account, request, shown),
  ]);
  if (person === undefined || !right || !proven) throw new Fault('wrong_credentials');
  // Whatever comes of it now: what is right today is no second request for who recorded it.
  nonces.show(nonce);
  return person;
}

/** Whether it is the person's password, or the organisation's word for them. */
export async function hasShown(
  { store, clock, passwords }: SignIn,
  {
    name,
    credentials,
    nonce,
    origin,
  }: Pick<JoiningRequest, 'name' | 'credentials' | 'nonce' | 'origin'>,
  person: Person | undefined,
  device: number,
): Promise<boolean> {
  if ('grant' in credentials) {
    const subject = await subjectOf(store.read, credentials.grant, unixSeconds(clock));
    return subject !== undefined && person?.oidcSubject?.equals(subject) === true;
  }
  const { auth, proof } = credentials;
  return passwords.check(base64url(origin), person, { nonce, name, device, auth }, proof);
}

async function provesDevice(
  bus: Bus,
  account: AccountId,
  { nonce, credentials }: JoiningRequest,
  { device, deviceProof }: Shown,
): Promise<boolean> {
  const about = aboutLogin('grant' in credentials ? credentials.grant : credentials.auth);
  const devices = await devicesOf(bus, account);
  return isProven(devices, { nonce, account, device, use: proofUses.login, about }, deviceProof);
}

/** Password and second factor are the same as when they were looked at: else the question is asked too late. */
export async function stillHolds(db: Database, before: Person): Promise<void> {
  const now = await findPerson(db, accountId(before.account));
  const same =
    now?.state === 'active' &&
    now.verifier === before.verifier &&
    (now.totpSecret === null) === (before.totpSecret === null) &&
    (now.totpSecret === null || before.totpSecret?.equals(now.totpSecret) === true);
  if (!same) throw new Fault('unavailable');
}

export async function takeGrant(
  db: Database,
  { credentials }: Pick<JoiningRequest, 'credentials'>,
  now: number,
) {
  if ('grant' in credentials) await spendGrant(db, credentials.grant, now);
}

async function forgive({ attempts }: SignIn, { name, origin }: JoiningRequest, weighed: Weighed) {
  await attempts.forgive('password', name, origin);
  await weighed.forgive();
}
