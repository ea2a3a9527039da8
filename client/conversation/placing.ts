/** What a row of the history belongs to, and what was done to it. */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { type KeptAct, readAct } from '../messages/acts.ts';
import type { Kept } from '../messages/messages.ts';
import { pinnedAccount } from '../people/people.ts';
import type { Storage } from '../storage/storage.ts';
import type { Placed } from './erasing.ts';
import type { TargetOf } from './fold.ts';
import { keysOfActsOn, placeAt } from './places.ts';

/** Where a message belongs; undefined for what nobody is proved to have said. */
export async function placed(
  storage: Storage,
  message: Kept,
  accounts = new Map<string, AccountId | undefined>(),
): Promise<Placed | undefined> {
  if (message.type === 'unreadable') return undefined;
  const out = message.type === 'sent';
  const name = out ? message.to : message.from;
  let { peer } = message;
  if (peer === undefined) {
    if (!accounts.has(name)) accounts.set(name, await pinnedAccount(storage, name));
    peer = accounts.get(name);
  }
  const at = placeAt(out ? message.sentAt : message.receivedAt, message.key);
  return { message, target: { direction: out ? 'out' : 'in', id: message.id }, name, peer, at };
}

export async function actsOn(
  storage: Storage,
  target: TargetOf,
  peer: AccountId | undefined,
): Promise<KeptAct[]> {
  if (peer === undefined) return [];
  const keys = await keysOfActsOn(storage, target, peer);
  const acts = await Promise.all(keys.map((key) => readAct(storage, key)));
  return acts.filter((act) => act !== undefined);
}
