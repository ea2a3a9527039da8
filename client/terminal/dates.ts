/**
 * Days and times as people write them. They come from other devices and other people, who may say
 * anything: whatever number it is, it has a text, and nothing is thrown.
 */

/** What no calendar has. */
const nowhere = 'an unknown time';
/** Milliseconds of the last moment of the year 9999: behind it nothing is written with four digits. */
const lastMoment = 253_402_300_799_999;

const dateOf = (ms: number): Date | undefined =>
  Number.isFinite(ms) && Math.abs(ms) <= lastMoment ? new Date(ms) : undefined;

/** A moment in UTC, to the millisecond. */
export const time = (ms: number): string => dateOf(ms)?.toISOString() ?? nowhere;

/** A day since 1970-01-01 UTC. */
export const day = (days: number): string =>
  dateOf(days * 86_400_000)
    ?.toISOString()
    .slice(0, 10) ?? nowhere;

/** A moment to the minute, in UTC. */
export const minute = (ms: number): string =>
  dateOf(ms)?.toISOString().slice(0, 16).replace('T', ' ') ?? nowhere;

/** A moment as a clock here shows it, with its day when that is not today. */
export function clockTime(ms: number): string {
  const date = dateOf(ms);
  if (!date) return nowhere;
  const clock = date.toTimeString().slice(0, 5);
  return new Date().toDateString() === date.toDateString()
    ? clock
    : `${date.toISOString().slice(0, 10)} ${clock}`;
}
