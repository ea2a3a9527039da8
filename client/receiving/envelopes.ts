/**
 * Opening what came: unseal → prove the sender → ratchet → one commit. docs/protocol/dm.md §6
 *
 * Whom it is from is senders.ts, what it does here reception.ts.
 */
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import type { PrekeyLookup, UsedPrekeys } from '@island/protocol/crypto/handshake.ts';
import { unpad } from '@island/protocol/crypto/padding.ts';
import { decodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { type Content, contentTypes, open } from '@island/protocol/crypto/sealed-envelope.ts';
import type { PeerSessions } from '@island/protocol/crypto/sessions.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Hearing } from '../channels/hearing.ts';
import { arrival, type Unreadable } from '../messages/messages.ts';
import { contactChanges, isAccepted, isBlocked } from '../people/contacts.ts';
import type { PrekeyBox } from '../ratchets/prekeys.ts';
import type { Ratchets } from '../ratchets/ratchets.ts';
import { noteFailure, noteOpened } from '../repair/failures.ts';
import { repairChanges } from '../repair/repairs.ts';
import type { Append, Place, Storage } from '../storage/storage.ts';
import { type Aside, aside, asidePlace, isAside, putAside } from './aside.ts';
import { type Reception, receive, type Told } from './reception.ts';
import { type Asked, type Proving, prove, type Sender } from './senders.ts';

export interface Opening extends Proving, Told {
  channels: Hearing;
  ratchets: Ratchets;
  box: PrekeyBox;
}

type Sealed = { content: Content; sender: Sender; key: string };

const seen = 'seen';
/** Days for which an envelope is recognised; the island repeats none after 7. */
const seenDays = 9;
const day = 86_400_000;
/** Of those that were put aside, opened in one commit. */
const atOnce = 64;

/**
 * Opens envelopes in their order and commits all that came of them. False when aborted before: then
 * nothing was committed, and the island will send them again.
 */
export async function openEnvelopes(
  opening: Opening,
  envelopes: readonly { body: Uint8Array }[],
  signal: AbortSignal,
): Promise<boolean> {
  const { storage, onDropped, now } = opening;
  const sealed: Sealed[] = [];
  const later: Aside[] = [];
  const asked: Asked = { answers: new Map() };
  for (const { body } of envelopes) {
    const key = hex(sha256(body).subarray(0, 16));
    if ((await storage.read(seen, key)) || (await isAside(storage, key))) continue;
    const content = unseal(opening, body);
    // Covers hold nothing: they are there for whoever counts envelopes.
    if (content?.type === contentTypes.cover) continue;
    const sender = content && (await prove(opening, content.certificate, asked, signal));
    if (signal.aborted) return false;
    if (!content || !sender) continue;
    if ('unable' in sender) later.push({ key, body, account: sender.account });
    else sealed.push({ content, sender, key });
  }
  const { unable } = asked;
  if (unable && later.length > 0)
    await storage.commit({ put: await putAside(storage, later, now(), () => onDropped(unable)) });
  if (sealed.length > 0) await openSealed(opening, sealed);
  return true;
}

/** What was put aside, as far as its senders can be asked for now. Whether some of it is left, and why. */
export async function openAside(
  opening: Opening,
  signal: AbortSignal,
): Promise<Error | 'more' | undefined> {
  const waiting = await aside(opening.storage);
  const sealed: Sealed[] = [];
  const over: Place[] = [];
  const asked: Asked = { answers: new Map() };
  for (const { key, body } of waiting) {
    if (over.length >= atOnce) break;
    const content = unseal(opening, body);
    const sender = content && (await prove(opening, content.certificate, asked, signal));
    if (signal.aborted) return undefined;
    if (sender && 'unable' in sender) continue;
    if (content && sender) sealed.push({ content, sender, key });
    over.push(asidePlace(key));
  }
  if (sealed.length > 0) await openSealed(opening, sealed, over);
  else if (over.length > 0) await opening.storage.commit({ remove: over });
  if (asked.unable) return asked.unable;
  return over.length < waiting.length ? 'more' : undefined;
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

/** What is opened as it comes, and what was put aside, take turns: prekeys are spent in one order. */
const turns = new WeakMap<PrekeyBox, Promise<void>>();

function openSealed(
  opening: Opening,
  sealed: readonly Sealed[],
  over: readonly Place[] = [],
): Promise<void> {
  const before = turns.get(opening.box) ?? Promise.resolve();
  const turn = before.then(() => openInTurn(opening, sealed, over));
  turns.set(
    opening.box,
    turn.catch(() => undefined),
  );
  return turn;
}

async function openInTurn(
  opening: Opening,
  sealed: readonly Sealed[],
  over: readonly Place[],
): Promise<void> {
  const { ratchets, now } = opening;
  const settled = await ratchets.step(async (step) => {
    const reception: Reception = {
      ...{ account: opening.account, storage: opening.storage, channels: opening.channels, now },
      ...{ append: [], put: [], remove: [...over], expect: [], passing: [] },
      contacts: contactChanges(opening.storage),
      repairs: repairChanges(opening.storage),
      identities: new Set(),
    };
    const { append, put, remove, expect, passing } = reception;
    const settle: (() => void)[] = [];
    const lookup = onceOnly(opening.box.lookup);
    const keys = new Set<string>();
    for (const { content, sender, key } of sealed) {
      if (keys.has(key)) continue;
      keys.add(key);
      put.push({ namespace: seen, key, bytes: utf8Bytes(String(Math.floor(now() / day))) });
      const opened = openMessage(opening, lookup, await step.sessions(sender.party), content);
      if (opened === 'known') continue;
      if ('failure' in opened) {
        await failed(reception, { content, sender, key }, opened.failure);
        continue;
      }
      await noteOpened(reception, sender, opened.session);
      await read(reception, sender, opened.padded, key);
      const { spent } = opened;
      if (!spent) continue;
      put.push(...(spent.batch.put ?? []));
      remove.push(...(spent.batch.remove ?? []));
      settle.push(spent.settle);
    }
    const contacts = reception.contacts.rows();
    const repairs = reception.repairs.rows();
    const batch = {
      append,
      remove: [...remove, ...repairs.remove],
      put: [...put, ...contacts.put, ...repairs.put],
      expect: [...expect, ...contacts.expect, ...repairs.expect],
    };
    return { batch, result: { settle, passing } };
  });
  for (const settle of settled.settle) settle();
  for (const pass of settled.passing) pass(opening);
}

type Spent = ReturnType<PrekeyBox['spend']>;

/** `known`: it was opened before, and nothing is lost. */
type Opened =
  | { padded: Uint8Array; session: Uint8Array; spent: Spent | undefined }
  | { failure: Error }
  | 'known';

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

/** A fault of the wire speaks to those who ask an island; here a peer wrote it. */
const reasonOf = (error: Error): string =>
  error instanceof CryptoFault ? error.message : unknownForm;

const unreadable = (what: Omit<Unreadable, 'type' | 'receivedAt'>, receivedAt: number): Append =>
  arrival({ type: 'unreadable', ...what, receivedAt });

/**
 * It is asked for again, unless that can't help (it was itself part of a repair, or is in no form known here)
 * or would answer somebody whom we have not let in.
 */
async function failed(
  reception: Reception,
  { content, sender, key }: Sealed,
  failure: Error,
): Promise<void> {
  if (content.type !== contentTypes.ratchet) return;
  const { contacts, append, now } = reception;
  const contact = await contacts.change(sender.party.account, (same) => same);
  if (isBlocked(contact)) return;
  const reason = reasonOf(failure);
  if (failure instanceof CryptoFault && (sender.own || isAccepted(contact)))
    await noteFailure(reception, sender, { id: key, message: content.message, reason });
  else append.push(unreadable({ id: key, claims: sender.person.name, reason }, now()));
}

/** What the session opened is its sender's, also when nothing here knows its form. */
async function read(
  reception: Reception,
  sender: Sender,
  padded: Uint8Array,
  key: string,
): Promise<void> {
  if (isBlocked(await reception.contacts.change(sender.party.account, (same) => same))) return;
  try {
    await receive(reception, sender, decodePlaintext(unpad(padded)));
  } catch (error) {
    if (!(error instanceof CryptoFault || error instanceof Fault)) throw error;
    const what = { id: key, from: sender.person.name, reason: reasonOf(error) };
    reception.append.push(unreadable(what, reception.now()));
  }
}

/** What the ratchet says; a message of an unknown form comes out of a session that has moved on. */
function openMessage(
  { box, now }: Opening,
  lookup: StepLookup,
  sessions: PeerSessions,
  content: Content,
): Opened {
  try {
    const { plaintext, session, used } = sessions.decrypt(content.message, now(), lookup);
    if (used) lookup.spend(used);
    return { padded: plaintext, session, spent: used && box.spend(used) };
  } catch (error) {
    if (!(error instanceof CryptoFault || error instanceof Fault)) throw error;
    // A handshake that was seen before while its session is here opens in that session: `replayed` says that
    // the session is lost. An envelope that was opened before never gets here.
    if (error.code === 'duplicate') return 'known';
    return { failure: error };
  }
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
