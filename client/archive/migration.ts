/**
 * A home that has no archive yet: everything in its history, and everybody it has met, is to be archived.
 * docs/protocol/archive.md §5
 *
 * What is repeated after a crash is the same again. Messages that come meanwhile see to themselves.
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { type Kept, messagesAfter } from '../messages/messages.ts';
import { everybody } from '../people/people.ts';
import { type Place, type Put, type Storage, untilCommitted } from '../storage/storage.ts';
import {
  type ArchiveState,
  type Held,
  type Identity,
  identityRows,
  isKnown,
  noHead,
  pendingContact,
  pendingMessage,
  readState,
  stateExpected,
  stateRow,
} from './rows.ts';

/** Messages looked at in one commit. */
const group = 500;

/** The state of the archive; where there is none, the home is prepared first. Under the lock of the archive. */
export async function readyState(storage: Storage): Promise<Held<ArchiveState>> {
  const known = await readState(storage);
  if (known) return known;
  const met = await everybody(storage);
  const peers = new Map(met.map(({ name, account }) => [name, account]));
  let history = false;
  for (let last = ''; ; ) {
    const messages = await messagesAfter(storage, last, group);
    if (messages.length === 0) break;
    last = messages.at(-1)?.key ?? last;
    history = true;
    await untilCommitted(() => prepare(storage, messages, peers));
  }
  const value: ArchiveState = {
    ...noHead,
    listEpoch: 0,
    arkEpoch: 0,
    // A home that has lived judges pins by its own, and shows what other devices received meanwhile.
    caughtUp: history || met.length > 0,
  };
  const { version } = await storage.commit({
    put: [...met.map(({ account }) => pendingContact(account)), stateRow(value)],
    expect: [stateExpected(0)],
  });
  return { value, version };
}

async function prepare(
  storage: Storage,
  messages: readonly Kept[],
  peers: ReadonlyMap<string, AccountId>,
): Promise<void> {
  const put: Put[] = [];
  const expect: (Place & { version: number })[] = [];
  const done = new Set<string>();
  for (const message of messages) {
    const identity = identityOf(message, peers);
    if (!identity || (await isKnown(storage, identity))) continue;
    const known = identityRows(identity);
    if (done.has(known.put.key)) continue;
    done.add(known.put.key);
    put.push(known.put, { ...pendingMessage(identity), key: message.key });
    expect.push(known.expect);
  }
  if (put.length > 0) await storage.commit({ put, expect });
}

function identityOf(message: Kept, peers: ReadonlyMap<string, AccountId>): Identity | undefined {
  if (message.type === 'unreadable') return undefined;
  if (message.type === 'sent' && message.state !== 'accepted') return undefined;
  const name = message.type === 'sent' ? message.to : message.from;
  const peer = peers.get(name);
  return peer && { direction: message.type === 'sent' ? 'out' : 'in', peer, id: message.id };
}
