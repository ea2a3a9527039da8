/** `islander listen`: shows what comes. */
import { InvalidArgumentError } from 'commander';
import { happenings } from '../../conversation/happenings.ts';
import { arrivals } from '../../messages/arrivals.ts';
import type { AddCommand } from '../command.ts';
import { openHome } from '../home.ts';
import { arrivalLine, arrivalObject, happeningLine } from '../terminal.ts';

export function listenCommand(add: AddCommand): void {
  add(
    'listen',
    'shows messages as they come, first those that you have not seen',
    ['islander listen', 'islander listen --count 1 --json'],
    (command) => command.option('--count <n>', 'ends after so many messages', toCount),
    async (context, _args, { count }) => {
      const { terminal, signal } = context;
      await using home = await openHome(context);
      const { islander, storage } = home;
      islander.startReceiving();
      islander.startSending();
      let left = typeof count === 'number' ? count : Number.POSITIVE_INFINITY;
      const show = async () => {
        for await (const group of arrivals(storage, signal, { most: () => left })) {
          for (const arrival of group) {
            terminal.say(arrivalLine(arrival), arrivalObject(arrival));
            if (arrival.type === 'message') left -= 1;
          }
        }
      };
      const done = new AbortController();
      const either = AbortSignal.any([signal, done.signal]);
      const tell = async () => {
        for await (const happening of happenings(storage, either))
          terminal.say(happeningLine(happening), { ...happening });
      };
      const telling = tell();
      try {
        await Promise.race([show(), islander.failed, telling]);
      } finally {
        done.abort();
        await telling;
      }
    },
  );
}

function toCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('It has to be a whole number from 1.');
  return value;
}
