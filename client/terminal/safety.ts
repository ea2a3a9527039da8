/** A safety number, as two people compare it. docs/protocol/devices.md §9 */

/** Three lines of four groups. */
export function numberLines(name: string, number: readonly string[], verified: boolean): string[] {
  const rows = [0, 4, 8].map((from) => `    ${number.slice(from, from + 4).join('  ')}`);
  return [
    `The safety number of you and ${name}${verified ? ' (verified)' : ''}:`,
    '',
    ...rows,
    '',
    `Compare it with what ${name} sees, face to face or by a call: the same digits on both sides mean that nobody stands between you.`,
  ];
}
