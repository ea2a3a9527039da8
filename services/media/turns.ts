/** One writer at a blob at a time: those who come meanwhile wait, a few of them. */
import { Fault } from '@island/protocol/wire/fault.ts';
import { hex } from '@island/protocol/wire/text.ts';

/** Runs `work` behind all that was asked for the same blob before. Throws `unavailable` when too many wait. */
export type AtBlob = <T>(id: Uint8Array, work: () => Promise<T>) => Promise<T>;

const mostWaiting = 4;

export function openTurns(): AtBlob {
  const queues = new Map<string, { last: Promise<unknown>; length: number }>();
  return async (id, work) => {
    const key = hex(id);
    const queue = queues.get(key) ?? { last: Promise.resolve(), length: 0 };
    if (queue.length >= mostWaiting) throw new Fault('unavailable');
    queues.set(key, queue);
    queue.length += 1;
    const turn = queue.last.then(work);
    queue.last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      queue.length -= 1;
      if (queue.length === 0) queues.delete(key);
    }
  };
}
