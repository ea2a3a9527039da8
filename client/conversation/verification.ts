/**
 * Whether the keys of a person are theirs: a number that both sides compare where no island can change it.
 * docs/protocol/devices.md §9
 *
 * What was compared is an identity key. With another one, after a reset or under a removal's new identity,
 * nobody is verified until it is compared again.
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import {
  compareSafetyCode,
  encodeSafetyCode,
  type Identity,
  safetyNumber,
} from '@island/protocol/crypto/safety-number.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { type Person, readPin } from '../people/people.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Storage } from '../storage/storage.ts';

const record = v.strictObject({ account: s.account, aik: bytes64, at: v.number() });
const namespace = 'verified';

const identityOf = ({ account, list }: Pick<Person, 'account' | 'list'>): Identity => ({
  account,
  aik: list.aik,
});

export interface Verification {
  /** Twelve groups of five digits, the same on both sides. */
  number: string[];
  /** What the other side scans. */
  code: Uint8Array;
  verified: boolean;
}

export async function verification(
  storage: Storage,
  own: Person,
  other: Person,
): Promise<Verification> {
  const [one, two] = [identityOf(own), identityOf(other)];
  const verified = await isVerified(storage, other.name);
  return { number: safetyNumber(one, two), code: encodeSafetyCode(one, two), verified };
}

/** What a scanned code says; `same` marks the person as verified. */
export async function scanned(
  storage: Storage,
  code: Uint8Array,
  own: Person,
  other: Person,
  now: number,
): Promise<ReturnType<typeof compareSafetyCode>> {
  const outcome = compareSafetyCode(code, identityOf(own), identityOf(other));
  if (outcome === 'same') await setVerified(storage, other, true, now);
  return outcome;
}

export async function setVerified(
  storage: Storage,
  other: Person,
  verified: boolean,
  now: number,
): Promise<void> {
  const place = { namespace, key: other.name };
  const bytes = encodeRecord({ ...identityOf(other), at: now });
  await storage.commit(verified ? { put: [{ ...place, bytes }] } : { remove: [place] });
}

/** The key that was compared is the one that is pinned. */
export async function isVerified(storage: Storage, name: string): Promise<boolean> {
  const row = await storage.read(namespace, name);
  if (!row) return false;
  const { account, aik } = decodeRecord(record, row);
  const { list } = await readPin(storage, name);
  return list?.account === account && equal(list.aik, aik);
}
