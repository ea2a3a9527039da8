/** The sheet with backup codes, to be printed or written down, and the picture of a link. */
import { chmod, writeFile } from 'node:fs/promises';
import { formatIslandLink } from '@island/protocol/wire/island-link.ts';
import { renderUnicodeCompact } from 'uqr';
import type { AccountRecord } from './account.ts';
import { Problem } from './problem.ts';
import type { Terminal } from './terminal.ts';

/** What a device without anything needs besides the password and a code: where the island is, and who one is there. */
export const recoverLink = (
  { address, name }: Pick<AccountRecord, 'address' | 'name'>,
  caFingerprint: Uint8Array,
): string => formatIslandLink({ kind: 'recover', address, caFingerprint, name });

export function codeSheet(name: string, link: string, codes: readonly string[]): string {
  const rows = codes.map((code, i) => `  ${i + 1}   ${code}`);
  return [
    `Backup codes of ${name}`,
    '',
    ...rows,
    '',
    'Each one works once, together with your password: on a new device it brings back everything,',
    'and at sign-in it stands in for the six digits. Nobody can make them for you again.',
    '',
    'On a new device:',
    '',
    `  islander recover '${link}'`,
    '',
  ].join('\n');
}

/** Shows the sheet, or writes it to a file that only its owner can read. */
export async function handOver(
  terminal: Terminal,
  sheet: string,
  codes: readonly string[],
  link: string,
  file: string | undefined,
): Promise<void> {
  if (file === undefined) {
    terminal.say(`\n${sheet}`, { type: 'codes', codes, recover: link });
    return;
  }
  try {
    await writeFile(file, sheet, { mode: 0o600, flag: 'wx' });
    await chmod(file, 0o600);
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new Problem('codes_file', { file, reason }, { cause });
  }
  terminal.say(`Your backup codes are in ${file}: print it, and keep it away from this machine.`, {
    type: 'codes',
    file,
    recover: link,
  });
}

/** For a camera: blocks of half a line, dark on light whatever the terminal's colours are. */
export const picture = (text: string): string =>
  `\u001b[30;47m${renderUnicodeCompact(text, { border: 2 }).replaceAll('\n', '\u001b[0m\n\u001b[30;47m')}\u001b[0m`;
