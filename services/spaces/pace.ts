/** Slow mode: when who posted last, for as long as it counts; in memory, since nothing hangs on it. docs/protocol/channel.md §7 */
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import type { Clock } from '../kit/clock.ts';

export interface Pace {
  /** A turn that is given back unless it is kept. @throws slow_mode { seconds } */
  take(channel: string, account: AccountId, seconds: number): Disposable & { keep(): void };
}

const mostPaced = 100_000;
const noTurn = { keep: () => undefined, [Symbol.dispose]: () => undefined };

export function openPace(clock: Clock): Pace {
  const until = new Map<string, number>();
  return {
    take(channel, account, seconds) {
      if (seconds === 0) return noTurn;
      const key = `${channel} ${account}`;
      const left = (until.get(key) ?? 0) - clock.now();
      if (left > 0) throw new Fault('slow_mode', { seconds: Math.ceil(left / 1000) });
      let kept = false;
      until.delete(key);
      until.set(key, clock.now() + seconds * 1000);
      if (until.size > mostPaced)
        for (const oldest of until.keys()) {
          until.delete(oldest);
          break;
        }
      return {
        keep() {
          kept = true;
        },
        [Symbol.dispose]() {
          if (!kept) until.delete(key);
        },
      };
    },
  };
}
