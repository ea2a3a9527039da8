/** Sizes and durations, as people write them. */

const units = ['bytes', 'kB', 'MB', 'GB'] as const;

/** `1.2 MB`; decimal, as file managers show them. */
export function sizeText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${bytes === 1 ? 'byte' : units[unit]}`;
}

const spans = [
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

/** `1 day`, `90 minutes`: in the largest unit that it has a whole number of. */
export function durationText(seconds: number): string {
  const [unit, size] = spans.find(([, each]) => seconds % each === 0) ?? ['second', 1];
  const count = seconds / size;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** What is left of it, roughly: `3 h`. */
export function leftText(seconds: number): string {
  const [unit, size] = spans.find(([, each]) => seconds >= each) ?? ['second', 1];
  return `${Math.max(1, Math.round(seconds / size))} ${unit === 'minute' ? 'min' : unit[0]}`;
}

/** `30s`, `5m`, `8h`, `1d`, `4w`; 0 for `off`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === 'off') return 0;
  const [, count = '', unit = ''] = /^(\d{1,8})([smhdw])$/.exec(text) ?? [];
  const span = spans.find(([name]) => name[0] === unit);
  const seconds = Number(count) * (span?.[1] ?? 0);
  return seconds > 0 ? seconds : undefined;
}
