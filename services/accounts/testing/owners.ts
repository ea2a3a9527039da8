/** People who are signed in and change their devices, for tests. */
import type { CodeKeys } from '@island/protocol/crypto/backup-code.ts';
import { directory } from '../../directory/contract.ts';
import {
  type ListChange,
  type NewDevice,
  nextList,
  type Owned,
} from '../../directory/testing/next-list.ts';
import { accounts } from '../contract.ts';
import type { Released } from '../devices/joinings.ts';
import type { JoinRequest } from '../devices/new-device.ts';
import type { Asker } from '../sessions/session-ends.ts';
import type { Tokens } from '../sessions/sessions.ts';
import {
  type AccountKeys,
  joiningOf,
  joinRequest,
  type KeysChange,
  keysOf,
  nextKeys,
  sent,
} from './account-keys.ts';
import { askerOf, type TestAccounts } from './accounts.ts';
import { type Applicant, random, shownCode } from './applicant.ts';

/** Somebody on the first device of their account. */
export interface Owner {
  person: Applicant;
  keys: AccountKeys;
  asker: Asker;
  tokens: Tokens;
}

/** A new device with the list and the record that it brings. */
export interface Newcoming {
  device: NewDevice;
  keys: AccountKeys;
}

export interface Owners {
  owner(name: string): Promise<Owner>;
  /** Shows the password, and a code if given, from an address of its own. Answers the joining. */
  begin(owner: Owner, code?: CodeKeys): Promise<string>;
  /** A device that joins, with the list and record that follow from `keys`. */
  newDevice(keys: AccountKeys, list?: ListChange, record?: KeysChange): Newcoming;
  /** A list that follows from that of `keys` and adds nobody. */
  newList(keys: AccountKeys, change: Omit<ListChange, 'add'>): Owned;
  /** The request of `join`, with a fresh challenge and nonce. */
  request(next: Newcoming, joining: string): Promise<JoinRequest>;
  join(next: Newcoming, joining: string): Promise<Tokens>;
  /** A second device, joined by nothing but the password. */
  second(owner: Owner): Promise<Newcoming & { asker: Asker; tokens: Tokens }>;
  recovery(owner: Owner, joining: string): Promise<Released>;
  record(owner: Owner): Promise<{ record: Uint8Array; used: Uint8Array[] }>;
  putRecord(asker: Asker, keys: AccountKeys): Promise<object>;
  updateDevices(asker: Asker, keys: AccountKeys): Promise<object>;
  /** Codes that are still good, as the account is told. */
  codes(asker: Asker): Promise<number>;
}

export function ownersOf({ gateway, joined, login, beginJoining, nonce, clock }: TestAccounts) {
  const owners: Owners = {
    async owner(name) {
      const person = await joined(name);
      const tokens = await login(person);
      return { person, keys: keysOf(person), asker: askerOf(tokens), tokens };
    },
    async begin({ person }, code) {
      const shown = code === undefined ? {} : { second: shownCode(code) };
      return joiningOf(await beginJoining(person, { ...shown, origin: random(16) }));
    },
    newDevice(keys, list = {}, record = {}) {
      const { added, ...owned } = nextList(keys, { now: clock.now(), ...list, add: true });
      return { device: added, keys: nextKeys(keys, { owned, ...record }) };
    },
    newList: (keys, change) => nextList(keys, { now: clock.now(), ...change }),
    async request({ device, keys }, joining) {
      const { challenge } = await gateway.call(directory, 'challenge', {});
      return joinRequest(keys, device, { joining, nonce: await nonce(), challenge });
    },
    async join(next, joining) {
      return gateway.call(accounts, 'join', await owners.request(next, joining));
    },
    async second(owner) {
      const next = owners.newDevice(owner.keys);
      const tokens = await owners.join(next, await owners.begin(owner));
      return { ...next, tokens, asker: askerOf(tokens) };
    },
    recovery: ({ person }, joining) =>
      gateway.call(accounts, 'recovery', { account: person.keys.account, joining }),
    record: ({ person }) => gateway.call(accounts, 'record', { account: person.keys.account }),
    putRecord: (asker, { keeping }) =>
      gateway.call(accounts, 'putRecord', { ...asker, ...sent(keeping) }),
    updateDevices: (asker, { list, keeping }) =>
      gateway.call(accounts, 'updateDevices', {
        ...asker,
        list: new Uint8Array(list.bytes),
        ...sent(keeping),
      }),
    codes: async (asker) => (await gateway.call(accounts, 'account', asker)).codes,
  };
  return owners;
}
