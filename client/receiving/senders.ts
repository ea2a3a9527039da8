/**
 * Who sent an envelope: proved, or nobody. docs/protocol/dm.md §6
 *
 * The sender that the sealed layer names is a claim. It counts only when the person's signed device
 * list, or our own account's, has exactly this device with these keys; the ratchet then opens the message
 * under it, or not.
 */
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import type { Party } from '@island/protocol/crypto/handshake.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import type { Account } from '../account/account.ts';
import { backoff, pause } from '../backoff.ts';
import { isBlocked, readContact } from '../people/contacts.ts';
import type { OwnPerson } from '../people/own-person.ts';
import { type People, type Person, parties } from '../people/people.ts';
import { Problem, willPass } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import { isUnbelieved } from '../transparency/unbelieved.ts';
import { retryAfter } from '../transport/transport.ts';
import type { Certificates } from './certificates.ts';
import { type Claim, isUnlisted, noteUnlisted } from './unlisted.ts';

export interface Sender {
  person: Person;
  party: Party;
  /** Another device of our own account. */
  own: boolean;
}

/** What the island said of people since these envelopes were there: it need not say it for each of them. */
export interface Asked {
  answers: Map<string, Person | Error>;
  /** Why nobody can be asked for now. */
  unable?: Error;
}

/** Nobody can be asked about this account's devices for now, or what is said of them is not believed. */
export interface Unable {
  unable: Error;
  account: AccountId;
}

export interface Proving {
  account: Account;
  storage: Storage;
  /** Unix milliseconds. */
  now: () => number;
  people: People;
  own: OwnPerson;
  certificates: Certificates;
  /** Something came whose sender is not proved: it is not kept. */
  onDropped: (error: Error) => void;
}

/**
 * The device on a list that the certificate names; undefined when there is none, or when aborted. `Unable` when
 * there is nothing to pay the question with.
 */
export async function prove(
  proving: Proving,
  certificate: Uint8Array,
  asked: Asked,
  signal: AbortSignal,
): Promise<Sender | Unable | undefined> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    let claim: Claim | undefined;
    try {
      claim = await proving.certificates.read(certificate, signal);
      return await proveOnce(proving, claim, asked, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (isVerdict(error)) {
        proving.onDropped(error);
        return undefined;
      }
      const { unable } = asked;
      if (claim && unable && unable === error) return { unable, account: claim.account };
      // What is dropped is acknowledged and never comes again. A full disk or a refused token says
      // nothing about the sender: the envelope stays where it is.
      if (!willPass(error)) throw error;
      await pause(backoff(attempt, retryAfter(error)), signal);
    }
  }
  return undefined;
}

/** What will be no different another time. */
const verdicts = new Set([
  'unknown_person',
  'person_ended',
  'name_invalid',
  'sender_unproved',
  'identity_changed',
  'list_invalid',
  'list_rolled_back',
  'history_broken',
  'history_long',
]);
const isVerdict = (error: unknown): error is Fault | Problem | CryptoFault =>
  error instanceof CryptoFault ||
  ((error instanceof Fault || error instanceof Problem) && verdicts.has(error.code));

/** There is nothing to pay questions with, or the island takes none of it. */
const unpaid = new Set([
  'tokens_exhausted',
  'token_needed',
  'token_invalid',
  'token_spent',
  'token_keys_differ',
  'token_unproved',
  'clock_wrong',
  'rate_limited',
]);
const isUnpaid = (error: unknown): error is Error =>
  (error instanceof Fault || error instanceof Problem) && unpaid.has(error.code);

async function proveOnce(
  proving: Proving,
  claim: Claim,
  asked: Asked,
  signal: AbortSignal,
): Promise<Sender> {
  if (claim.account === proving.account.account) return proveOwn(proving, claim, asked, signal);
  const { people, storage } = proving;
  const known = await people.known(claim.account);
  const found = known && listed(known, claim);
  if (found) return { ...found, own: false };
  const name = known?.name ?? claim.name;
  const unproved = new Problem('sender_unproved', { name });
  // Asking costs a token: never for what would be dropped, nor twice for what was answered.
  if (isBlocked(await readContact(storage, claim.account))) throw unproved;
  if (await isUnlisted(storage, claim, proving.now())) throw unproved;
  const fresh = await ask(people, name, asked, signal).catch((error: unknown) => {
    if (isVerdict(error)) return undefined;
    throw error;
  });
  const sender = fresh?.account === claim.account ? listed(fresh, claim) : undefined;
  if (sender) return { ...sender, own: false };
  await noteUnlisted(storage, claim, proving.now());
  const answer = asked.answers.get(name);
  throw answer instanceof Error ? answer : unproved;
}

/** A device that joined since is on the list once this device has followed it there. */
async function proveOwn(
  { account, own }: Proving,
  claim: Claim,
  asked: Asked,
  signal: AbortSignal,
): Promise<Sender> {
  const { name, device } = account;
  const unproved = new Problem('sender_unproved', { name });
  if (claim.device === device) throw unproved;
  const found = listed(await own.present(), claim);
  if (found) return { ...found, own: true };
  if (asked.answers.has(name)) throw unproved;
  if (isUnbelieved(asked.unable)) throw asked.unable;
  const person = await own.refresh(signal).catch((error: unknown) => {
    if (isUnbelieved(error)) asked.unable = error;
    if (isVerdict(error)) asked.answers.set(name, unproved);
    throw error;
  });
  asked.answers.set(name, unproved);
  const fresh = listed(person, claim);
  if (!fresh) throw unproved;
  return { ...fresh, own: true };
}

async function ask(
  people: People,
  name: string,
  asked: Asked,
  signal: AbortSignal,
): Promise<Person> {
  const before = asked.answers.get(name);
  if (!before && asked.unable) throw asked.unable;
  const answer =
    before ??
    (await people.refresh(name, signal).catch((error: unknown) => {
      if (isVerdict(error)) return error;
      if (isUnpaid(error) || isUnbelieved(error)) asked.unable = error;
      throw error;
    }));
  asked.answers.set(name, answer);
  if (answer instanceof Error) throw answer;
  return answer;
}

function listed(person: Person, claim: Claim): { person: Person; party: Party } | undefined {
  const party = parties(person).find(
    ({ device, dsk, dik }) =>
      device === claim.device && equal(dik, claim.dik) && equal(dsk, claim.dsk),
  );
  return party && { person, party };
}
