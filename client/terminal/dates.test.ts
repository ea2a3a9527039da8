/** Days and times that others say. */
import t from 'tap';
import { clockTime, day, minute, time } from './dates.ts';
import { arrivalLine } from './terminal.ts';

t.test('days and times are written as people write them', async (t) => {
  t.equal(day(0), '1970-01-01');
  t.equal(day(20_780), '2026-11-23');
  t.equal(time(1), '1970-01-01T00:00:00.001Z');
  t.equal(minute(60_000), '1970-01-01 00:01');
  t.match(clockTime(Date.now()), /^\d\d:\d\d$/);
  t.match(clockTime(0), /^19(69|70)-\d\d-\d\d \d\d:\d\d$/);
});

t.test('pitfall: a number that is no day stops no command', async (t) => {
  const odd = [0xffff_ffff, 2 ** 53 - 1, -(2 ** 53), 1e9, Number.NaN, Number.POSITIVE_INFINITY];
  for (const write of [day, time, minute, clockTime])
    for (const number of odd) t.doesNotThrow(() => write(number), `${number}`);
  for (const write of [day, time, minute, clockTime])
    t.equal(write(2 ** 53 - 1), 'an unknown time');
  const said = { type: 'message', key: '1', id: 'x', from: 'bob', text: 'hi', sentAt: 1 } as const;
  const line = arrivalLine({ ...said, receivedAt: 2 ** 53 - 1 });
  t.equal(line, 'an unknown time bob: hi');
});
