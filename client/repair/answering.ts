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
import { repairRow } from '../messages/outbox.ts';
import type { Sender } from '../messages/senders.ts';
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
  if (!(await repairs.mayAnswer(keyOfSender(sender), now))) return;
  const log = await sentTo(storage, sender.party, now);
  const named = new Map(failed.map((hash) => [hashKey(hash), hash]));
  const again: { hash: Uint8Array; sent: Sent; place: string }[] = [];
  const fates: Fate[] = [];
  for (const [key, hash] of named) {
    const sent = log.get(key);
    const id = sent?.place === undefined ? undefined : await idAt(storage, sent.place, now);
    if (!sent || sent.times >= repairLimits.resends) fates.push({ hash, fate: 'gone' });
    else if (id === undefined || sent.place === undefined) fates.push({ hash, fate: 'nothing' });
    else {
      fates.push({ hash, fate: 'follows', id: fromHex(id) });
      again.push({ hash, sent, place: sent.place });
    }
  }
  const { name } = sender.person;
  const only = sender.party.device;
  const body = { kind: 'resent', fates } as const;
  const plaintext = encodePlaintext({ id: randomBytes(16), sentAt: now, body });
  append.push(
    repairRow(name, { only }, plaintext, now + Math.floor(Math.random() * repairLimits.delay)),
  );
  // Lists of one commit may name one message twice: the later row of the log then counts.
  for (const { hash, sent, place } of again.sort((a, b) => a.sent.at - b.sent.at)) {
    const times = sent.times + 1;
    put.push(sentRow(sender.party, hash, { ...sent, times }));
    append.push(
      repairRow(name, { only, again: { place, times, ...(sent.sync && { sync: true }) } }),
    );
  }
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
