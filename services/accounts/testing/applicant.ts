/** A person about to register, for tests: real keys, real signatures, a password and backup codes as hashing would give them. */
import { randomBytes } from 'node:crypto';
import { anchorOf, type CodeKeys } from '@island/protocol/crypto/backup-code.ts';
import type { DeviceKeys } from '@island/protocol/crypto/device.ts';
import { type DeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { type CodeSlotKeys, makeKeyRecord } from '@island/protocol/crypto/key-record.ts';
import { kdfFloor, provePassword } from '@island/protocol/crypto/password.ts';
import { ed25519, type SigningPair, sha256, x25519 } from '@island/protocol/crypto/primitives.ts';
import { aboutRefresh, proofUses, proveDevice } from '@island/protocol/crypto/session-proof.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import { type Newcomer, newcomer } from '../../directory/testing/newcomer.ts';
import type { CallRequest } from '../../kit/contract.ts';
import type { accounts } from '../contract.ts';

type Accounts = typeof accounts;
export type RegisterRequest = CallRequest<Accounts, 'register'>;
export type LoginRequest = CallRequest<Accounts, 'login'>;
export type JoiningRequest = CallRequest<Accounts, 'beginJoining'>;
export type RefreshRequest = CallRequest<Accounts, 'refresh'>;
export type Second = NonNullable<LoginRequest['second']>;

/** What a password becomes; nobody hashed anything for it. */
export interface Password {
  salt: Uint8Array<ArrayBuffer>;
  auth: Uint8Array<ArrayBuffer>;
  key: SigningPair;
}

/** A newcomer with a password, backup codes and the first record of their keys. */
export interface Applicant extends Newcomer {
  /** What they have pinned: set by whoever registers them. */
  island: Uint8Array;
  password: Password;
  /** The first device list. */
  list: DeviceList;
  ark: Uint8Array;
  codes: CodeKeys[];
  codesSalt: Uint8Array;
  /** What the island gets of the first record. */
  keeping: {
    record: Uint8Array<ArrayBuffer>;
    shares: { loc: Uint8Array<ArrayBuffer>; share: Uint8Array<ArrayBuffer> }[];
  };
}

export const random = (length: number) => new Uint8Array(randomBytes(length));
const own = (bytes: Uint8Array) => new Uint8Array(bytes);

export const newPassword = (): Password => ({
  salt: random(16),
  auth: random(32),
  key: ed25519.generate(),
});

/** What `register` and `changePassword` tell the island of a password. */
export const published = ({ salt, auth, key }: Password) => ({
  salt,
  kdf: { ...kdfFloor },
  auth,
  key: own(key.public),
});

/** What a code becomes. */
export const newCode = (): CodeKeys => ({
  loc: random(16),
  proof: random(32),
  dh: x25519.generate(),
  anchorKey: random(32),
});

/** What the record says of a code. */
export const slotOf = (code: CodeKeys, { account, aik }: DeviceList): CodeSlotKeys => ({
  loc: code.loc,
  proofHash: sha256(code.proof),
  dh: code.dh.public,
  anchor: anchorOf(code, account, aik),
});

/** As a request shows it. */
export const shownCode = ({ loc, proof }: CodeKeys): Second => ({
  code: { loc: own(loc), proof: own(proof) },
});

export function applicant(name: string): Applicant {
  const person = newcomer(name, { oneTime: 1 });
  const list = openDeviceList(person.enrolment.list);
  const ark = random(32);
  const codes = Array.from({ length: limits.backupCodes }, newCode);
  const codesSalt = random(16);
  const { record, shares } = makeKeyRecord({
    version: 1,
    prevHash: new Uint8Array(32),
    list,
    aik: person.aik,
    firstEpoch: 1,
    arkEpoch: 1,
    ark,
    former: [],
    head: { seq: 0, hash: new Uint8Array(32) },
    codes: { salt: codesSalt, kdf: { ...kdfFloor } },
    slots: codes.map((code) => slotOf(code, list)),
  });
  const keeping = {
    record: own(record),
    shares: shares.map(({ loc, share }) => ({ loc: own(loc), share: own(share) })),
  };
  return {
    ...person,
    island: new Uint8Array(32),
    password: newPassword(),
    list,
    ark,
    codes,
    codesSalt,
    keeping,
  };
}

/** @param challenge an X25519 key; the directory accepts its own only */
export function registration(
  person: Applicant,
  at: { nonce: Uint8Array; challenge: Uint8Array; invite?: string; grant?: Uint8Array },
): Omit<RegisterRequest, 'origin'> {
  const { nonce, challenge, invite, grant } = at;
  const { keys, list, keeping, password } = person;
  const { account, device, dsk } = keys;
  const claim = { nonce, account, device, use: proofUses.register, about: list.hash };
  return {
    ...person.enrol(challenge),
    ...(invite === undefined ? {} : { invite }),
    credentials: grant === undefined ? published(password) : { grant },
    ...keeping,
    nonce,
    deviceProof: own(proveDevice(dsk, claim)),
  };
}

/** What may differ from a lawful sign-in of the person's first device. */
export interface SignInChange {
  /** What is shown and signed with instead. */
  password?: Password;
  keys?: DeviceKeys;
  grant?: Uint8Array;
  second?: Second;
  origin?: Uint8Array;
  nonce?: Uint8Array;
}

const shown = (
  { name, island }: Pick<Applicant, 'name' | 'island'>,
  device: number,
  nonce: Uint8Array,
  { auth, key }: Password,
) => ({ auth, proof: own(provePassword(key, { nonce, island, name, device, auth })) });

export function loginRequest(
  person: Applicant,
  at: SignInChange & { nonce: Uint8Array; origin: Uint8Array },
): LoginRequest {
  const { nonce, origin, second, grant, password = person.password, keys = person.keys } = at;
  const { name } = person;
  const { device, dsk } = keys;
  const about = sha256(grant ?? password.auth);
  const { account } = person.keys;
  const claim = { nonce, account, device, use: proofUses.login, about };
  return {
    name,
    credentials: grant === undefined ? shown(person, device, nonce, password) : { grant },
    ...(second === undefined ? {} : { second }),
    device,
    nonce,
    deviceProof: own(proveDevice(dsk, claim)),
    origin,
  };
}

export function joiningRequest(
  person: Applicant,
  at: SignInChange & { nonce: Uint8Array; origin: Uint8Array },
): JoiningRequest {
  const { nonce, origin, second, grant, password = person.password } = at;
  return {
    name: person.name,
    credentials: grant === undefined ? shown(person, 0, nonce, password) : { grant },
    ...(second === undefined ? {} : { second }),
    nonce,
    origin,
  };
}

export function refreshRequest(
  { account, device, dsk }: DeviceKeys,
  refresh: string,
  at: { nonce: Uint8Array; attempt?: Uint8Array | undefined },
): RefreshRequest {
  const { nonce, attempt } = at;
  const about = aboutRefresh(fromBase64url(refresh), attempt);
  const claim = { nonce, account, device, use: proofUses.refresh, about };
  const deviceProof = own(proveDevice(dsk, claim));
  return { refresh, ...(attempt === undefined ? {} : { attempt }), nonce, deviceProof };
}

/** For what asks for the present password of somebody who is signed in. */
export const shownPassword = (
  person: Pick<Applicant, 'name' | 'island' | 'password' | 'keys'>,
  nonce: Uint8Array,
) => shown(person, person.keys.device, nonce, person.password);
