/** One statement for many rows, of few different lengths. docs/decisions/060-mailboxes.md */

/** `mark` for each row of a group, as SQL lists them. */
export const marks = (mark: string, group: readonly unknown[]): string =>
  Array(group.length).fill(mark).join(',');

/** Every statement is a way to SQLite's thread and back: 40 rows are two, not seven. */
const sizes = [64, 32, 16, 8, 7, 6, 5, 4, 3, 2, 1];
const repeating = [1, 2, 4, 8, 16, 32, 64];

/**
 * Cuts a list into groups of few different lengths, so that few statements are prepared.
 * @param repeat fill the last group up with its last item, where saying a thing twice changes nothing
 */
export function inGroups<T>(items: readonly T[], repeat = false): T[][] {
  const groups: T[][] = [];
  for (let at = 0; at < items.length; ) {
    const left = items.length - at;
    const size = repeat
      ? repeating.find((size) => size >= left)
      : sizes.find((size) => size <= left);
    const group = items.slice(at, at + (size ?? 64));
    const last = group[group.length - 1];
    while (size !== undefined && group.length < size && last !== undefined) group.push(last);
    groups.push(group);
    at += size ?? 64;
  }
  return groups;
}
