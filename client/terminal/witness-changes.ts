/** Tells that others watch the directory than before. docs/protocol/transparency.md §8.3 */
import type { Storage } from '../storage/storage.ts';
import {
  type WitnessChange,
  witnessChange,
  witnessChangeTold,
} from '../transparency/witness-change.ts';
import { plain, type Terminal } from './terminal.ts';

/** Once; it counts as told when it was said. */
export async function tellWitnessChange(terminal: Terminal, storage: Storage): Promise<void> {
  const change = await witnessChange(storage);
  if (!change) return;
  if (terminal.json) terminal.say('', { type: 'witnesses', ...change, text: sentence(change) });
  else terminal.status('witnesses', plain(sentence(change)), 'witnesses');
  await witnessChangeTold(storage);
}

function sentence({ added, removed, quorum }: WitnessChange): string {
  const who = [
    ...(added.length > 0 ? [`added: ${added.join(', ')}`] : []),
    ...(removed.length > 0 ? [`no longer: ${removed.join(', ')}`] : []),
  ];
  const changed = who.length > 0 ? ` (${who.join('; ')})` : '';
  return `The witnesses of this island's directory have changed${changed}. From now on its newest state counts when these have signed: ${quorum ?? 'nobody'}.`;
}
