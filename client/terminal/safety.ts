/** A safety number, as two people compare it. docs/protocol/devices.md §9 */
import type { Storage } from '../storage/storage.ts';
import { readHead } from '../transparency/head.ts';
import { logCode } from '../transparency/log-code.ts';

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

/** What this device has seen of the island's directory, in a word: beside the number, for the same call. */
export async function seenDirectory(
  storage: Storage,
): Promise<{ lines: string[]; object: { directory?: { size: number; code: string } } }> {
  const head = await readHead(storage);
  if (!head) return { lines: [], object: {} };
  const { size } = head;
  const code = logCode(head);
  return {
    lines: [
      '',
      `Directory, at ${size} entries: ${code.join(' ')}`,
      'Where it says the same number of entries, that is the same on both sides, too.',
    ],
    object: { directory: { size, code: code.join('') } },
  };
}
