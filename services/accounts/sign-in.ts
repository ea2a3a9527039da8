/**
 * Sign-in. An unknown name, a wrong password and a device that is not on the account's list get the
 * same answer after the same work. docs/protocol/accounts.md §3
 */
import { createHmac } from 'node:crypto';
import { kdfFloor } from '@island/protocol/crypto/password.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId, type DeviceId } from '@island/protocol/wire/ids.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import type { CallAnswer, CallRequest } from '../kit/contract.ts';
import type { Attempts } from './attempts.ts';
import type { accounts } from './contract.ts';
import type { AccountsStore } from './database.ts';
import type { Passwords } from './passwords.ts';
import { findByName, type Person } from './people.ts';
import type { Sessions, Tokens } from './sessions.ts';

export interface SignIn {
  store: AccountsStore;
  bus: Bus;
  passwords: Passwords;
  attempts: Attempts;
  sessions: Sessions;
  /** 32 bytes: what is invented for an unknown name stays the same. */
  invention: Uint8Array;
}

/** 16 bytes that a name alone decides. */
const invent = (secret: Uint8Array, purpose: 'salt' | 'account', name: string) =>
  new Uint8Array(
    createHmac('sha256', secret).update(`${purpose}\0${name}`).digest().subarray(0, 16),
  );

async function findActive(store: AccountsStore, name: string): Promise<Person | undefined> {
  const person = await findByName(store.read, name);
  return person?.state === 'active' ? person : undefined;
}

export async function prelogin(
  { store, invention }: SignIn,
  name: string,
): Promise<CallAnswer<typeof accounts, 'prelogin'>> {
  const invented = invent(invention, 'salt', name);
  const person = await findActive(store, name);
  if (person === undefined) return { salt: invented, kdf: { ...kdfFloor } };
  const { salt, memory, passes, lanes } = person;
  return { salt: new Uint8Array(salt), kdf: { memory, passes, lanes } };
}

export async function login(
  tools: SignIn,
  request: CallRequest<typeof accounts, 'login'>,
): Promise<Tokens & { account: AccountId }> {
  const { store, bus, passwords, attempts, sessions, invention } = tools;
  const { name, auth, device, origin } = request;
  await attempts.admit(name, origin);
  const invented = accountId(hex(invent(invention, 'account', name)));
  const person = await findActive(store, name);
  const account = person === undefined ? invented : accountId(person.account);
  // Both always: how long it takes must not say which of them failed.
  const [right, devices] = await Promise.all([
    passwords.check(base64url(origin), person?.verifier, auth),
    devicesOf(bus, account),
  ]);
  if (!right || !devices.includes(device)) throw new Fault('wrong_credentials');
  await attempts.forgive(name, origin);
  return { account, ...(await sessions.begin(account, device)) };
}

/** The devices on an account's list; none for an account that the directory does not have. */
export async function devicesOf(bus: Bus, account: AccountId): Promise<readonly DeviceId[]> {
  try {
    return (await bus.call(directory, 'devices', { account })).devices;
  } catch (error) {
    if (error instanceof Fault && error.code === 'unknown_person') return [];
    throw error;
  }
}
