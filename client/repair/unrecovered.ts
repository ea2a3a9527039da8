/** What of a conversation could not be read, in numbers. docs/protocol/ratchet.md §9.6 */
import { history } from '../messages/history.ts';
import type { Storage } from '../storage/storage.ts';

export interface Unrecovered {
  /** Messages that are being asked for. */
  recovering: number;
  /** Messages that will not come. */
  lost: number;
}

/** Of what claims to be from this person: nothing that did not open proves whom it is from. */
export async function unrecovered(storage: Storage, name: string): Promise<Unrecovered> {
  const numbers = { recovering: 0, lost: 0 };
  for (const message of await history(storage, { with: name })) {
    if (message.type !== 'unreadable') continue;
    if (message.state === 'recovering') numbers.recovering += 1;
    if (message.state === 'lost') numbers.lost += message.count ?? 1;
  }
  return numbers;
}
