/**
 * What becomes of a queued row: the island took it, or never will. docs/protocol/dm.md §6, §8
 *
 * What the island took is archived, and passed on to our other devices a little later, so that the two
 * orders do not stand side by side.
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import { type Identity, identityRows, isKnown, pendingMessage } from '../archive/rows.ts';
import { actAgain, readAct } from '../messages/acts.ts';
import { messageRow, readMessage } from '../messages/messages.ts';
import { contactChanges, wroteTo } from '../people/contacts.ts';
import type { OwnPerson } from '../people/own-person.ts';
import { type Append, type Batch, type Storage, untilCommitted } from '../storage/storage.ts';
import { isKept, outbox, plaintextOf, readWaiting, syncRow } from './outbox.ts';

export type Outcome =
  /** Taken by the island for this account. */
  { state: 'accepted'; peer: AccountId } | { state: 'failed'; reason: string };

export interface Settling {
  account: Pick<Account, 'name'>;
  storage: Storage;
  own: OwnPerson;
  now: () => number;
}

/** Milliseconds after which our other devices are told, at least and at most. */
const syncAfter = { least: 400, most: 2500 };

/** The row waits no longer. */
export const settle = (settling: Settling, key: string, outcome: Outcome): Promise<void> =>
  untilCommitted(async () => {
    const { storage } = settling;
    const row = await readWaiting(storage, key);
    if (!row) return;
    const gone = { namespace: outbox, key };
    const expect = [{ ...gone, version: row.version }];
    const kept = isKept(row) ? await fateOf(storage, key, outcome) : {};
    if (outcome.state === 'failed' || !isKept(row)) {
      await storage.commit({ put: kept.put ?? [], remove: [gone], expect });
      return;
    }
    const batch = await acceptedBatch(settling, key, outcome.peer);
    await storage.commit({
      append: batch.append ?? [],
      put: [...(kept.put ?? []), ...(batch.put ?? [])],
      remove: [gone],
      expect: [...expect, ...(batch.expect ?? [])],
    });
  });

/** What its message or act says from now on. */
async function fateOf(storage: Storage, key: string, outcome: Outcome): Promise<Batch> {
  const message = await readMessage(storage, key);
  if (message?.type === 'sent') {
    const { state } = outcome;
    const more = outcome.state === 'failed' ? { reason: outcome.reason } : { peer: outcome.peer };
    return { put: [messageRow({ ...message, state, ...more })] };
  }
  const act = await readAct(storage, key);
  if (!act || outcome.state === 'accepted') return {};
  return { put: [actAgain({ ...act, failed: outcome.reason })] };
}

async function acceptedBatch(
  { account, storage, own, now }: Settling,
  key: string,
  peer: AccountId,
): Promise<Batch> {
  const row = await readWaiting(storage, key);
  const said = row && (await plaintextOf(storage, row));
  if (!row || !said) return {};
  const identity: Identity = { direction: 'out', peer, id: hex(said.id) };
  // A home that was put back from a copy may send once more what it has archived since.
  if (await isKnown(storage, identity)) return {};
  const known = identityRows(identity);
  const contact = contactChanges(storage);
  if (said.body.kind === 'text') await contact.change(peer, wroteTo);
  const changes = contact.rows();
  const append: Append[] = [];
  if ((await own.present()).list.devices.length > 1) {
    const { least, most } = syncAfter;
    const notBefore = now() + least + Math.random() * (most - least);
    append.push(syncRow(account.name, key, notBefore));
  }
  const disappears = said.body.kind === 'text' && said.body.timer !== undefined;
  const archived = disappears ? [] : [{ ...pendingMessage(identity), key }];
  return {
    append,
    put: [known.put, ...archived, ...changes.put],
    expect: [known.expect, ...changes.expect],
  };
}
