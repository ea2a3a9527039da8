/** Tells what other devices changed in the account: whoever got hold of it shows in nothing else. */
import { changesTold, type OwnChange, untoldChanges } from '../account/untold-changes.ts';
import type { Storage } from '../storage/storage.ts';
import { leftSentence } from './code-sheet.ts';
import { day } from './dates.ts';
import type { Terminal } from './terminal.ts';

/** Each change once; it counts as told when it was said. */
export async function tellChanges(terminal: Terminal, storage: Storage): Promise<void> {
  const changes = await untoldChanges(storage);
  if (changes.length === 0) return;
  for (const { key, change } of changes) terminal.status('account', sentence(change), key);
  await changesTold(
    storage,
    changes.map(({ key }) => key),
  );
}

function sentence(change: OwnChange): string {
  switch (change.type) {
    case 'added':
      return `Device ${change.device} was added to your account on ${day(change.day)}. If that was not you: islander devices revoke ${change.device}`;
    case 'removed':
      return `Device ${change.device} was removed from your account on ${day(change.day)}.`;
    case 'rotated':
      return `Another device of yours made a new archive key${change.times === 1 ? '' : `, ${change.times} times`}, and nothing that this device knows of was the reason. If it goes on: islander devices revoke`;
    case 'codes':
      return `New backup codes were made for your account, and those of before are dead. ${leftSentence(change.left)} If that was not you: islander devices revoke for whoever it was, then islander codes new`;
    case 'code-used':
      return `A backup code of yours was used. ${leftSentence(change.left)} If it was not you: islander password, and islander codes new`;
  }
}
