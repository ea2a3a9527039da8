/**
 * Turns at scarce work: at most `lanes` jobs run at once, those who wait are served round-robin by
 * who asks, so that one who floods waits behind himself. docs/protocol/accounts.md §3
 */
import { Fault } from '@island/protocol/wire/fault.ts';

export interface Turns {
  /**
   * Runs `work` when it is the asker's turn. `unavailable` when too much waits already; but who has less waiting than
   * another takes the place of that one's last: a few who flood can't keep everybody out.
   */
  take<T>(asker: string, work: () => Promise<T>): Promise<T>;
}

export interface TurnLimits {
  lanes: number;
  /** Jobs that may wait, of all and of one asker. */
  waiting: number;
  waitingEach: number;
}

interface Job {
  run(): Promise<void>;
  refuse(fault: Fault): void;
}

export function createTurns(limits: TurnLimits): Turns {
  // A map keeps the order of insertion: the asker served last goes to the end.
  const queues = new Map<string, Job[]>();
  let waiting = 0;
  let running = 0;

  function next(): void {
    const first = queues.entries().next();
    if (first.done === true || running >= limits.lanes) return;
    const [asker, queue] = first.value;
    const job = queue.shift();
    queues.delete(asker);
    if (queue.length > 0) queues.set(asker, queue);
    if (job === undefined) return;
    waiting -= 1;
    running += 1;
    void job.run().finally(() => {
      running -= 1;
      next();
    });
  }

  /** Whether there is room for one more behind `waitingOwn` of its asker. */
  function makeRoom(waitingOwn: number): boolean {
    if (waitingOwn >= limits.waitingEach) return false;
    if (waiting < limits.waiting) return true;
    let longest: Job[] = [];
    for (const queue of queues.values()) if (queue.length > longest.length) longest = queue;
    if (longest.length <= waitingOwn + 1) return false;
    longest.pop()?.refuse(new Fault('unavailable'));
    waiting -= 1;
    return true;
  }

  return {
    take(asker, work) {
      const queue = queues.get(asker) ?? [];
      if (!makeRoom(queue.length)) return Promise.reject(new Fault('unavailable'));
      return new Promise((resolve, reject) => {
        const run = async () => {
          try {
            resolve(await work());
          } catch (error) {
            reject(error);
          }
        };
        queue.push({ run, refuse: reject });
        queues.set(asker, queue);
        waiting += 1;
        next();
      });
    },
  };
}
