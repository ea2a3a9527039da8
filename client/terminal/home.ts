/** Opens the home that a command works in. */
import type { Keeping } from '../account/key-changes.ts';
import { type Islander, type IslanderEvent, openIslander } from '../islander.ts';
import { nodePlatform } from '../platform-node.ts';
import { Problem } from '../problem.ts';
import { fileStorage, hasFileStorage } from '../storage/file.ts';
import type { Storage } from '../storage/storage.ts';
import { tellChanges } from './changes.ts';
import type { Context } from './command.ts';
import { eventStatus } from './terminal.ts';
import { tellWitnessChange } from './witness-changes.ts';

export interface Home extends AsyncDisposable {
  storage: Storage;
  islander: Islander;
  /** What changing the keys of the account needs. */
  keeping: Keeping & { signal: AbortSignal };
}

/** `onEvent` in place of saying how it goes. Throws `not_registered` without making anything. */
export async function openHome(
  { home, terminal, signal }: Context,
  onEvent: (event: IslanderEvent) => void = eventStatus(terminal),
): Promise<Home> {
  if (!hasFileStorage(home)) throw new Problem('not_registered', { home });
  const storage = fileStorage(home);
  try {
    const tell = async () => {
      await tellChanges(terminal, storage);
      await tellWitnessChange(terminal, storage);
    };
    let telling = tell();
    const islander = await openIslander({
      storage,
      platform: nodePlatform,
      on(event) {
        if (event.type === 'account' || event.type === 'witnesses') telling = telling.then(tell);
        else onEvent(event);
      },
    });
    return {
      storage,
      islander,
      keeping: { storage, session: islander.session, now: Date.now, signal },
      async [Symbol.asyncDispose]() {
        await islander[Symbol.asyncDispose]();
        await telling;
        await tell();
        await storage[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await storage[Symbol.asyncDispose]();
    throw error;
  }
}
