/** What was decided here is told to one's other devices, as far as it goes at once; else the next connection does it. */
import { allDeparted } from '../messages/departures.ts';
import type { Context } from './command.ts';
import type { Home } from './home.ts';

/** Milliseconds that a command waits for it. */
const patience = 3_000;

export async function tellDevices(
  { signal }: Pick<Context, 'signal'>,
  { islander, storage }: Pick<Home, 'islander' | 'storage'>,
): Promise<void> {
  islander.startSending();
  const until = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const told = allDeparted(storage, islander.account.name, Date.now, until);
  await Promise.race([told, islander.failed]);
}
