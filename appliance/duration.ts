/** Times as people write them: `90s`, `30m`, `12h`, `7d`. */

const unit = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const shortest = 60;
const longest = 365 * unit.d;

/** Seconds; undefined unless it is a whole number with a unit, from a minute to a year. */
export function parseDuration(text: string): number | undefined {
  const [, number, letter] = /^(\d{1,8})([smhd])$/.exec(text) ?? [];
  if (number === undefined || letter === undefined) return undefined;
  const seconds = Number(number) * unit[letter as keyof typeof unit];
  return seconds >= shortest && seconds <= longest ? seconds : undefined;
}
