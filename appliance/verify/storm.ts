/** The same thing asked many times at once: what came of it, by the code of each answer. */
import type { Platform } from '@island/client/platform.ts';
import type { Transport } from '@island/client/transport/transport.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Person } from './people.ts';

/** As many as the promises are held to. */
export const manyTimes = 64;
/** Connections of one transport. */
const connections = 4;

/** How often each came: `accepted`, or the code of a refusal. */
export type Outcomes = Record<string, number>;

/** The code with which something was refused; `accepted` when it was not. */
export const refusal = (work: () => Promise<unknown>): Promise<string> =>
  work().then(
    () => 'accepted',
    (error: unknown) => (error instanceof Fault ? error.code : String(error)),
  );

/** @param platforms whose ways to the island are taken in turn: each may be from another address */
export async function storm(
  { account }: Pick<Person, 'account'>,
  platforms: readonly Platform[],
  work: (over: Transport, index: number) => Promise<unknown>,
  times = manyTimes,
): Promise<Outcomes> {
  await using held = new AsyncDisposableStack();
  const ways = Array.from({ length: Math.ceil(times / connections) }, (_, i) => {
    const platform = platforms[i % platforms.length];
    if (platform === undefined) throw new TypeError('no way to the island');
    return held.use(platform.transport(account));
  });
  const codes = await Promise.all(
    Array.from({ length: times }, (_, index) => {
      const over = ways[index % ways.length];
      return refusal(async () => over && work(over, index));
    }),
  );
  const outcomes: Outcomes = {};
  for (const code of codes) outcomes[code] = (outcomes[code] ?? 0) + 1;
  return outcomes;
}

/** Whether one was accepted, and the others refused with one of these codes. */
export const oneOf = (outcomes: Outcomes, refusals: readonly string[]): boolean =>
  outcomes['accepted'] === 1 &&
  Object.keys(outcomes).every((code) => code === 'accepted' || refusals.includes(code));

/** `1 accepted, 63 totp_used`. */
export const told = (outcomes: Outcomes): string =>
  Object.entries(outcomes)
    .toSorted(([a], [b]) => Number(b === 'accepted') - Number(a === 'accepted'))
    .map(([code, times]) => `${times} ${code}`)
    .join(', ');
