/**
 * Opening what came: unseal → prove the sender → ratchet → one commit. docs/protocol/dm.md §6
 *
 * The commit also says that the messages are to be archived. One that is known already, because another
 * device of the account has archived it, moves the ratchet on and is not added again.
 *
 * The sender that the sealed layer names is a claim. It counts only when the person's signed device
 * list has exactly this device with this key, and the ratchet opens the message under it.
 */
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import type { Party, PrekeyLookup, UsedPrekeys } from '@island/protocol/crypto/handshake.ts';
import { unpad } from '@island/protocol/crypto/padding.ts';
import { decodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import { type Content, open } from '@island/protocol/crypto/sealed-envelope.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import { type Identity, identityKey, identityRows, isKnown } from '../archive/rows.ts';
import { backoff, pause } from '../backoff.ts';
import { Problem, willPass } from '../problem.ts';
import type { Append, Place, Put, Storage } from '../storage/storage.ts';
import { retryAfter } from '../transport/transport.ts';
import { arrival, type Incoming, type Unreadable } from './messages.ts';
import { type People, type Person, parties } from './people.ts';
import type { PrekeyBox } from './prekeys.ts';
import type { Ratchets, Step } from './ratchets.ts';

export interface Opening {
  account: Account;
  storage: Storage;
  people: People;
  ratchets: Ratchets;
  box: PrekeyBox;
  /** Unix milliseconds. */
  now: () => number;
  /** Something came whose sender is not proved: it is not kept. */
  onDropped: (error: Error) => void;
}

interface Sender {
  person: Person;
  party: Party;
}
/** What the island said of people since these envelopes were there: it need not say it for each of them. */
type Asked = Map<string, Person | Error>;
type Sealed = { content: Content; sender: Sender; key: string };

const seen = 'seen';
/** Days for which an envelope is recognised; the island repeats none after 7. */
const seenDays = 9;
const day = 86_400_000;

/**
 * Opens envelopes in their order and commits all that came of them. False when aborted before: then
 * nothing was committed, and the island will send them again.
 */
export async function openEnvelopes(
  opening: Opening,
  envelopes: readonly { body: Uint8Array }[],
  signal: AbortSignal,
): Promise<boolean> {
  const sealed: Sealed[] = [];
  const asked: Asked = new Map();
  for (const { body } of envelopes) {
    const key = hex(sha256(body).subarray(0, 16));
    if (await opening.storage.read(seen, key)) continue;
    const content = unseal(opening, body);
    const sender = content && (await prove(opening, content.sender, asked, signal));
    if (signal.aborted) return false;
    if (content && sender) sealed.push({ content, sender, key });
  }
  if (sealed.length > 0) await openSealed(opening, sealed);
  return true;
}

function unseal({ account, onDropped }: Opening, body: Uint8Array): Content | undefined {
  try {
    return open(account.dik, body);
  } catch (error) {
    if (!(error instanceof Fault || error instanceof CryptoFault)) throw error;
    onDropped(error);
    return undefined;
  }
}

async function openSealed(opening: Opening, sealed: readonly Sealed[]): Promise<void> {
  const { ratchets, now } = opening;
  const settled = await ratchets.step(async (step) => {
    const append: Append[] = [];
    const put: Put[] = [];
    const expect: (Place & { version: number })[] = [];
    const remove: Place[] = [];
    const settle: (() => void)[] = [];
    const lookup = onceOnly(opening.box.lookup);
    const keys = new Set<string>();
    const identities = new Set<string>();
    for (const { content, sender, key } of sealed) {
      if (keys.has(key)) continue;
      keys.add(key);
      put.push({ namespace: seen, key, bytes: utf8Bytes(String(Math.floor(now() / day))) });
      const { message, spent } = await decrypt(opening, lookup, step, content, sender, key);
      const identity = message && identityOf(message, sender.person);
      if (message && !identity) append.push(arrival(message));
      if (message && identity && !identities.has(identityKey(identity))) {
        identities.add(identityKey(identity));
        if (!(await isKnown(opening.storage, identity))) {
          const known = identityRows(identity);
          append.push(arrival(message, identity));
          put.push(known.put);
          expect.push(known.expect);
        }
      }
      if (!spent) continue;
      put.push(...(spent.batch.put ?? []));
      remove.push(...(spent.batch.remove ?? []));
      settle.push(spent.settle);
    }
    return { batch: { append, put, remove, expect }, result: settle };
  });
  for (const settle of settled) settle();
}

/** What can't be read has none, and stays on the device that it came to. */
const identityOf = (message: Incoming | Unreadable, { account }: Person): Identity | undefined =>
  message.type === 'message' ? { direction: 'in', peer: account, id: message.id } : undefined;

interface StepLookup extends PrekeyLookup {
  spend(used: UsedPrekeys): void;
}

/** Messages opened together: a one-time prekey that an earlier one has used is gone for the later ones. */
function onceOnly(lookup: PrekeyLookup): StepLookup {
  const spent = new Set<number>();
  return {
    signed: lookup.signed,
    seen: lookup.seen,
    oneTime: (id) => (spent.has(id) ? undefined : lookup.oneTime(id)),
    pq: (kind, id) => (kind === 'one-time' && spent.has(id) ? undefined : lookup.pq(kind, id)),
    spend({ oneTime, pqOneTime }) {
      for (const id of [oneTime, pqOneTime]) if (id !== undefined) spent.add(id);
    },
  };
}

const unknownForm =
  'It is in no form that this version knows. Update islander, or ask for it to be sent again.';

interface Decrypted {
  message: Incoming | Unreadable | undefined;
  spent?: ReturnType<PrekeyBox['spend']> | undefined;
}

async function decrypt(
  { box, now }: Opening,
  lookup: StepLookup,
  step: Step,
  content: Content,
  { person, party }: Sender,
  key: string,
): Promise<Decrypted> {
  let opened = false;
  const unreadable = (error: Error): Unreadable => {
    return {
      type: 'unreadable',
      id: key,
      ...(opened ? { from: person.name } : { claims: person.name }),
      // A fault of the wire speaks to those who ask an island; here a peer wrote it.
      reason: error instanceof CryptoFault ? error.message : unknownForm,
      receivedAt: now(),
    };
  };
  let spent: Decrypted['spent'];
  try {
    const sessions = await step.sessions(party);
    const { plaintext, used } = sessions.decrypt(content.message, now(), lookup);
    opened = true;
    if (used) lookup.spend(used);
    spent = used && box.spend(used);
    const { id, sentAt, body } = decodePlaintext(unpad(plaintext));
    const message = { id: hex(id), from: person.name, text: body.text, sentAt, receivedAt: now() };
    return { message: { type: 'message', ...message }, spent };
  } catch (error) {
    if (error instanceof CryptoFault && (error.code === 'duplicate' || error.code === 'replayed')) {
      return { message: undefined };
    }
    if (!(error instanceof CryptoFault || error instanceof Fault)) throw error;
    return { message: unreadable(error), spent };
  }
}

/** The device on the person's list that the sealed layer claims; asks the island for people not met before. */
async function prove(
  opening: Opening,
  claim: Content['sender'],
  asked: Asked,
  signal: AbortSignal,
): Promise<Sender | undefined> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      return await proveOnce(opening, claim, asked, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (isVerdict(error)) {
        opening.onDropped(error);
        return undefined;
      }
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
  'name_invalid',
  'sender_unproved',
  'identity_changed',
  'list_invalid',
  'list_rolled_back',
  'history_broken',
]);
const isVerdict = (error: unknown): error is Fault | Problem =>
  (error instanceof Fault || error instanceof Problem) && verdicts.has(error.code);

async function proveOnce(
  { people, account }: Opening,
  claim: Content['sender'],
  asked: Asked,
  signal: AbortSignal,
): Promise<Sender> {
  if (claim.account === account.account) throw new Problem('sender_unproved', { name: claim.name });
  const known = await people.known(claim.account);
  const found = known && listed(known, claim);
  if (found) return found;
  const fresh = await ask(people, known?.name ?? claim.name, asked, signal);
  const sender = fresh.account === claim.account ? listed(fresh, claim) : undefined;
  if (!sender) throw new Problem('sender_unproved', { name: fresh.name });
  return sender;
}

async function ask(
  people: People,
  name: string,
  asked: Asked,
  signal: AbortSignal,
): Promise<Person> {
  const answer =
    asked.get(name) ??
    (await people.refresh(name, signal).catch((error: unknown) => {
      if (isVerdict(error)) return error;
      throw error;
    }));
  asked.set(name, answer);
  if (answer instanceof Error) throw answer;
  return answer;
}

function listed(person: Person, claim: Content['sender']): Sender | undefined {
  const party = parties(person).find(
    ({ device, dik }) => device === claim.device && equal(dik, claim.dik),
  );
  return party && { person, party };
}

/** Envelopes too old to come again are forgotten. */
export async function forgetSeen(storage: Storage, now: number): Promise<void> {
  const today = Math.floor(now / day);
  const old = (await storage.list(seen)).filter(
    ({ bytes }) => today - Number(new TextDecoder().decode(bytes)) > seenDays,
  );
  if (old.length > 0)
    await storage.commit({ remove: old.map(({ key }) => ({ namespace: seen, key })) });
}
