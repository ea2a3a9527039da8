/**
 * Answering a device that could not open something of ours: what it names is sent again, if it was made for
 * that device and is still there. docs/protocol/ratchet.md §9.3
 */
import { encodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import type { Fate, ResyncBody } from '@island/protocol/crypto/repair-body.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import { readAct } from '../messages/acts.ts';
import { readMessage } from '../messages/messages.ts';
import type { Sender } from '../receiving/senders.ts';
import { repairRow } from '../sending/outbox.ts';
import type { Put, Storage } from '../storage/storage.ts';
import { keyOfSender, type Repairing } from './failures.ts';
import { repairLimits } from './repair-limits.ts';
import { hashKey, type Sent, sentRow, sentTo } from './sent-log.ts';

/** The commit that it becomes part of. */
export interface Answering extends Repairing {
  put: Put[];
}

/** Queues what becomes of each message, and then the messages in the order in which they were sent. */
export async function answer(
  answering: Answering,
  sender: Sender,
  { failed }: ResyncBody,
): Promise<void> {
  const { repairs, storage, append, put } = answering;
  const now = answering.now();
  if (!(await repairs.mayAnswer(keyOfSender(sender), sender.party.account, now))) return;
  const log = await sentTo(storage, sender.party, now, put);
  const resent = timesOf(log.values());
  const named = new Map(failed.map((hash) => [hashKey(hash), hash]));
  const again = new Map<string, { hash: Uint8Array; sent: Sent; place: string }>();
  const fates: Fate[] = [];
  for (const [key, hash] of named) {
    const sent = log.get(key);
    const id = sent?.place === undefined ? undefined : await idAt(storage, sent.place, now);
    if (!sent || (resent.get(sameAs(sent)) ?? 0) >= repairLimits.resends)
      fates.push({ hash, fate: 'gone' });
    else if (id === undefined || sent.place === undefined) fates.push({ hash, fate: 'nothing' });
    else {
      fates.push({ hash, fate: 'follows', id: fromHex(id) });
      again.set(sameAs(sent), { hash, sent, place: sent.place });
    }
  }
  const { name } = sender.person;
  const only = sender.party.device;
  const body = { kind: 'resent', fates } as const;
  const plaintext = encodePlaintext({ id: randomBytes(16), sentAt: now, body });
  append.push(
    repairRow(name, { only }, plaintext, now + Math.floor(Math.random() * repairLimits.delay)),
  );
  for (const { hash, sent, place } of [...again.values()].sort((a, b) => a.sent.at - b.sent.at)) {
    const times = (resent.get(sameAs(sent)) ?? 0) + 1;
    put.push(sentRow(sender.party, hash, { ...sent, times }));
    append.push(
      repairRow(name, { only, again: { place, times, ...(sent.sync && { sync: true }) } }),
    );
  }
}

/** Copies of one message to this device are one, whichever of them is named. */
const sameAs = ({ place = '', sync }: Sent): string => `${place} ${sync ?? false}`;

/** How often each was sent again: every copy knows the number of the copies before it. */
function timesOf(log: Iterable<Sent>): Map<string, number> {
  const most = new Map<string, number>();
  for (const sent of log) most.set(sameAs(sent), Math.max(sent.times, most.get(sameAs(sent)) ?? 0));
  return most;
}

/** The id of a message or act that is still there to be sent. */
async function idAt(storage: Storage, place: string, now: number): Promise<string | undefined> {
  const message = await readMessage(storage, place);
  if (message?.type === 'sent') {
    const { deleted, timer, sentAt } = message;
    const over = deleted || (timer !== undefined && sentAt + timer * 1000 <= now);
    return over ? undefined : message.id;
  }
  return (await readAct(storage, place))?.id;
}
