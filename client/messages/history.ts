/** What was said, in the order of time: what other devices sent and received lies in the storage in the order in which it came. */
import { catchUp } from '../conversation/catch-up.ts';
import type { Storage } from '../storage/storage.ts';
import { type Kept, type Message, messagesAfter } from './messages.ts';

/** Unix milliseconds by the clock of the device that has it: when it came, or when it was written. */
export const timeOf = (message: Message): number =>
  message.type === 'sent' ? message.sentAt : message.receivedAt;

/**
 * Whose conversation it belongs to; undefined for what only claims to be from somebody, unless it stands for
 * messages that are asked for, or lost: those are said where they are missed.
 */
export function peerOf(message: Message): string | undefined {
  if (message.type === 'sent') return message.to;
  if (message.type === 'unreadable' && message.state) return message.claims;
  return message.from;
}

export interface Wanted {
  /** Only what was said with this person. */
  with?: string;
  /** The newest ones only. */
  last?: number;
}

/** Ascending by time; what has the same time stays in its order. */
export async function history(storage: Storage, wanted: Wanted = {}): Promise<Kept[]> {
  await catchUp(storage);
  const found: Kept[] = [];
  for (let last = ''; ; ) {
    const messages = await messagesAfter(storage, last);
    if (messages.length === 0) break;
    last = messages.at(-1)?.key ?? last;
    for (const message of messages)
      if (wanted.with === undefined || peerOf(message) === wanted.with) found.push(message);
  }
  found.sort((a, b) => timeOf(a) - timeOf(b));
  return wanted.last === undefined ? found : found.slice(-wanted.last);
}
