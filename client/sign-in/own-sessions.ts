/** Where one's account is signed in, and the end of it. docs/protocol/accounts.md §4 */
import type { Answer } from '@island/protocol/wire/routes.ts';
import type { Ask } from '../account/shown-account.ts';

interface Asking {
  session: { call: Ask };
  signal?: AbortSignal;
}

export type OwnSession = Answer<'sessions'>['sessions'][number];

/** The newest first used, this one among them (`current`). */
export async function ownSessions({ session, signal }: Asking): Promise<OwnSession[]> {
  const { sessions } = await session.call('sessions', {}, signal ? { signal } : {});
  return sessions;
}

/** Ends one session; without `id` all but this one. Answers how many ended. Throws `not_found`. */
export async function endSession({ session, signal }: Asking, id?: string): Promise<number> {
  const request = id === undefined ? {} : { session: id };
  const { ended } = await session.call('endSession', request, signal ? { signal } : {});
  return ended;
}
