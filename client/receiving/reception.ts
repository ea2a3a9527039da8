/**
 * What an opened message does to this home: rows for the commit that also holds the ratchet behind it.
 * docs/protocol/dm.md §2
 *
 * A body counts only from whom it may come: what is for one's own devices from one's own devices, all the
 * rest from others. A message that is known already, because another device of the account has archived
 * it, adds nothing.
 */
import type { Body, BodyKind } from '@island/protocol/crypto/body.ts';
import { decodePlaintext, type Plaintext } from '@island/protocol/crypto/plaintext.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import { type Identity, identityKey, identityRows, isKnown } from '../archive/rows.ts';
import type { Hearing } from '../channels/hearing.ts';
import { takeChannelMarks } from '../channels/unread.ts';
import { takeMark } from '../conversation/marks.ts';
import { oweReceipt, takeReceipt } from '../conversation/receipts.ts';
import { readSettings } from '../conversation/settings.ts';
import { type ActBody, actRow, isAct } from '../messages/acts.ts';
import { arrival, saidOf, sentElsewhere } from '../messages/messages.ts';
import { actedOn, type ContactChanges, isAccepted, wroteTo } from '../people/contacts.ts';
import { answer } from '../repair/answering.ts';
import { noteArrived, receiveFates } from '../repair/failures.ts';
import type { RepairChanges } from '../repair/repairs.ts';
import type { Append, Place, Put, Storage } from '../storage/storage.ts';
import { hear } from '../transparency/gossip.ts';
import type { Sender } from './senders.ts';

/** A commit in the making: what several messages that were opened together come to. */
export interface Reception {
  account: Account;
  storage: Storage;
  now: () => number;
  append: Append[];
  put: Put[];
  remove: Place[];
  contacts: ContactChanges;
  repairs: RepairChanges;
  channels: Hearing;
  expect: (Place & { version: number })[];
  /** Keys of identities that this commit adds. */
  identities: Set<string>;
  /** For what is passed on once the commit holds, and kept nowhere. */
  passing: ((told: Told) => void)[];
}

/** What is told and not kept. */
export interface Told {
  onTyping(from: string, began: boolean): void;
}

/** Only from another device of one's own account. */
const ownKinds: ReadonlySet<BodyKind> = new Set(['sync', 'marks', 'channel-marks']);
/** Only inside a sync. */
const decisions: ReadonlySet<BodyKind> = new Set(['contact']);

/** Throws the `Fault` of a decoder, and `malformed` for a body from somebody that it may not come from. */
export async function receive(
  reception: Reception,
  sender: Sender,
  plaintext: Plaintext,
): Promise<void> {
  const { body } = plaintext;
  const misplaced = ownKinds.has(body.kind) !== sender.own && !forEverybody.has(body.kind);
  if (misplaced || decisions.has(body.kind)) throw new Fault('malformed');
  switch (body.kind) {
    case 'text':
    case 'edit':
    case 'delete':
    case 'reaction':
    case 'timer':
    case 'delivery-key':
      return receiveFrom(reception, sender, plaintext, body);
    case 'sync':
      return receiveSync(reception, body);
    case 'marks':
      for (const { peer, readUpTo } of body.marks)
        await takeMark(reception.storage, reception, peer, readUpTo, reception.now());
      return;
    case 'channel-marks':
      return takeChannelMarks(reception.storage, reception, body.marks);
    case 'channel-key':
    case 'channel-key-wanted':
    case 'channel-history':
      return reception.channels.take(reception, sender, body);
    case 'receipt':
    case 'typing':
      return receiveSign(reception, sender, plaintext.sentAt, body);
    case 'resync':
      return (await mayRepair(reception, sender)) ? answer(reception, sender, body) : undefined;
    case 'resent': {
      if (!(await mayRepair(reception, sender))) return;
      const peer = sender.party.account;
      return receiveFates(reception, sender, body.fates, (id) =>
        reception.identities.has(identityKey({ direction: 'in', peer, id })),
      );
    }
    default:
      return;
  }
}

/** Sessions are mended with our own devices and with those whom we let in; nobody else is answered. ratchet.md §9.1 */
async function mayRepair({ contacts }: Reception, { own, party }: Sender): Promise<boolean> {
  return own || isAccepted(await contacts.change(party.account, (same) => same));
}

/** Milliseconds after which it says nothing any more that somebody was writing. */
const typingFor = 60_000;

/** What contacts let us know; from anybody else it counts for nothing. */
async function receiveSign(
  reception: Reception,
  { person: { account, name } }: Sender,
  sentAt: number,
  body: Extract<Body, { kind: 'receipt' | 'typing' }>,
): Promise<void> {
  const { state } = await reception.contacts.change(account, (contact) => contact);
  if (state !== 'accepted') return;
  if (body.kind === 'receipt') return takeReceipt(reception, account, name, body);
  if (reception.now() - sentAt > typingFor) return;
  if (!(await readSettings(reception.storage)).typing) return;
  reception.passing.push((told) => told.onTyping(name, body.began));
}

/** What moves sessions on is between devices, whosever they are. */
const forEverybody: ReadonlySet<BodyKind> = new Set([
  'resync',
  'resent',
  'empty',
  'channel-key',
  'channel-key-wanted',
  'channel-history',
]);

async function receiveFrom(
  reception: Reception,
  sender: Sender,
  { id, sentAt }: Plaintext,
  body: Body,
): Promise<void> {
  const { person } = sender;
  const identity = { direction: 'in', peer: person.account, id: hex(id) } as const;
  const contact = await reception.contacts.change(person.account, (same) => same);
  const since = await noteArrived(reception, sender, identity.id);
  if (!(await add(reception, identity))) return;
  const receivedAt = since ?? reception.now();
  if (body.kind === 'text') {
    const from = { from: person.name, peer: person.account };
    const message = { id: identity.id, ...from, ...saidOf(body), sentAt, receivedAt };
    reception.append.push(arrival({ type: 'message', ...message }, identity));
    const { storage, put } = reception;
    const ids = [identity.id];
    if (body.seen) {
      const from = { account: person.account, known: isAccepted(contact) };
      put.push(...(await hear(storage, from, body.seen, reception.now())));
    }
    put.push(...(await oweReceipt(storage, contact, person.account, 'delivered', ids, receivedAt)));
  } else if (isAct(body)) {
    await addAct(reception, { ...identity, name: person.name, sentAt, receivedAt }, body);
  }
}

/** Another device of ours sent this, or decided it. */
async function receiveSync(
  reception: Reception,
  { peer, peerName, plaintext }: Extract<Body, { kind: 'sync' }>,
): Promise<void> {
  const { id, sentAt, body } = decodePlaintext(plaintext);
  if (peer === reception.account.account) throw new Fault('malformed');
  if (body.kind !== 'text' && !isAct(body)) throw new Fault('malformed');
  const identity = { direction: 'out', peer, id: hex(id) } as const;
  if (!(await add(reception, identity))) return;
  if (body.kind === 'text') {
    const message = { id: identity.id, to: peerName, peer, ...saidOf(body), sentAt };
    reception.append.push(sentElsewhere(message, identity));
    await reception.contacts.change(peer, wroteTo);
  } else await addAct(reception, { ...identity, name: peerName, sentAt, receivedAt: sentAt }, body);
}

interface ActOf {
  id: string;
  direction: 'in' | 'out';
  peer: AccountId;
  name: string;
  sentAt: number;
  receivedAt: number;
}

async function addAct(reception: Reception, act: ActOf, body: ActBody): Promise<void> {
  reception.append.push(actRow({ ...act, body }, { archive: true }));
  await reception.contacts.change(act.peer, actedOn({ ...act, body }));
}

/** False for what is known: it came another way, or twice. */
async function add(reception: Reception, identity: Identity): Promise<boolean> {
  const key = identityKey(identity);
  if (reception.identities.has(key)) return false;
  reception.identities.add(key);
  if (await isKnown(reception.storage, identity)) return false;
  const known = identityRows(identity);
  reception.put.push(known.put);
  reception.expect.push(known.expect);
  return true;
}
