/**
 * Direct messages at a server, whichever it is: as many as it takes when every pair waits for its own
 * (closed loop), and how long one takes at a rate that others decide (open loop). A message is done when
 * its recipient has it and its sender has been told that it is kept.
 */
import { setTimeout as pause } from 'node:timers/promises';

export interface Server extends AsyncDisposable {
  /** Makes so many messages ready, where that is work: it is no part of what is measured. */
  prepare(messages: number): Promise<void>;
  /** Sends a message of a pair. `received`: milliseconds until its recipient has it; resolves when it is done. */
  send(pair: number): Promise<{ received: number }>;
  /** CPU seconds so far, by process. */
  cpu(): Promise<ReadonlyMap<string, number>>;
}

export const load = { pairs: 50, window: 4, perSecond: 200 };

export interface Throughput {
  messages: number;
  seconds: number;
  cpu: ReadonlyMap<string, number>;
}

/** Every pair has `window` messages on the way, for so many seconds or so many messages, whichever ends first. */
export async function closedLoop(
  server: Server,
  { seconds, most }: { seconds: number; most: number },
): Promise<Throughput> {
  await server.prepare(most);
  const before = await server.cpu();
  const since = performance.now();
  const until = since + seconds * 1000;
  let begun = 0;
  const sender = async (pair: number): Promise<void> => {
    while (performance.now() < until && begun < most) {
      begun += 1;
      await server.send(pair);
    }
  };
  await Promise.all(
    Array.from({ length: load.pairs * load.window }, (_, at) => sender(at % load.pairs)),
  );
  const took = (performance.now() - since) / 1000;
  return { messages: begun, seconds: took, cpu: difference(before, await server.cpu()) };
}

/** Milliseconds from sending to receipt, ascending, at `load.perSecond` whatever comes back. */
export async function openLoop(server: Server, seconds: number): Promise<number[]> {
  await server.prepare(seconds * load.perSecond);
  const latencies: number[] = [];
  const flying = new Set<Promise<unknown>>();
  const since = performance.now();
  for (let at = 0; at < seconds * load.perSecond; at++) {
    const early = since + (at * 1000) / load.perSecond - performance.now();
    if (early > 1) await pause(early);
    const one = server.send(at % load.pairs).then(({ received }) => latencies.push(received));
    flying.add(one);
    void one.finally(() => flying.delete(one)).catch(() => undefined);
  }
  await Promise.all(flying);
  return latencies.sort((a, b) => a - b);
}

/** Of values that ascend. */
export const quantile = (ascending: readonly number[], part: number): number =>
  ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * part))] ?? Number.NaN;

const difference = (
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> =>
  new Map([...after].map(([name, spent]) => [name, spent - (before.get(name) ?? 0)]));
