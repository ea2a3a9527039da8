/** What the directory proves of somebody, as a file that anybody checks without asking. docs/protocol/transparency.md §2.7, §5.1 */

import { toTlogProof } from '@island/protocol/transparency/answer.ts';
import { readEvent } from '@island/protocol/transparency/leaves.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Storage } from '../storage/storage.ts';
import { provedOf } from '../transparency/proved.ts';
import type { Home } from './home.ts';
import type { Terminal } from './terminal.ts';

/** Asks for it anew, and checks it like everything that is shown. Throws what `Lookups.person` throws. */
export async function tellProof(
  terminal: Terminal,
  { islander }: Home,
  person: string,
  signal: AbortSignal,
): Promise<void> {
  const name = person === '' ? islander.account.name : person;
  const { account, shown, size, state } = await islander.lookups.person(name, signal);
  const proof = toTlogProof(shown.answer);
  const place = hex(shown.index);
  // The file ends with a line feed of its own.
  terminal.say(proof.slice(0, -1), {
    ...{ type: 'proof', name, account, place, version: state.version, size, proof },
  });
}

/** Where an account stands in the log and the map, as 64 hexadecimal digits; `undefined` before it was proved here. */
export async function placeOf(storage: Storage, account: AccountId): Promise<string | undefined> {
  const proved = await provedOf(storage, account);
  return proved && hex(readEvent(proved.shown.event).index);
}
