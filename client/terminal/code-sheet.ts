/** The sheet with the backup codes: shown once, or written to a file of its own. docs/protocol/keys.md §7 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { formatIslandLink } from '@island/protocol/wire/island-link.ts';
import { fewCodes } from '../account/own-codes.ts';
import { Problem } from '../problem.ts';
import type { Terminal } from './terminal.ts';

/** What a device without anything needs besides the password and a code: where the island is, and who one is there. */
export const recoverLink = (
  { address, name }: { address: string; name: string },
  caFingerprint: Uint8Array,
): string => formatIslandLink({ kind: 'recover', address, caFingerprint, name });

function codeSheet(name: string, link: string, codes: readonly string[]): string {
  return [
    `Backup codes of ${name}`,
    '',
    ...codes.map((code, i) => `  ${i + 1}   ${code}`),
    '',
    'Each one works once, together with your password: on a new device it brings back everything,',
    'and at sign-in it stands in for the six digits. Nobody can make them for you again, so print',
    'this or write it down, and keep it away from your devices.',
    '',
    'On a new device:',
    '',
    `  islander recover '${link}'`,
    '',
  ].join('\n');
}

/** What is left, and what to do about it. */
export function leftSentence(left: number): string {
  if (left === 0) return 'No backup code is left. Make new ones: islander codes new';
  const count = left === 1 ? 'One backup code is' : `${left} backup codes are`;
  return left <= fewCodes
    ? `${count} left. Make new ones soon: islander codes new`
    : `${count} left.`;
}

export interface Sheet extends AsyncDisposable {
  show(terminal: Terminal, name: string, link: string, codes: readonly string[]): Promise<void>;
}

/** With `file` a new file is made at once, 0600, so that codes are never made for a place that does not take them. */
export async function openSheet(file: string | undefined): Promise<Sheet> {
  const handle = file === undefined ? undefined : await create(file);
  let written = false;
  return {
    async show(terminal, name, link, codes) {
      const sheet = codeSheet(name, link, codes);
      if (file === undefined) {
        terminal.say(`\n${sheet}`, { type: 'codes', codes, recover: link });
        return;
      }
      await handle?.writeFile(sheet);
      await handle?.sync();
      written = true;
      terminal.say(`Your backup codes are in ${file}: print it, and take it off this machine.`, {
        type: 'codes',
        file,
        recover: link,
      });
    },
    async [Symbol.asyncDispose]() {
      await handle?.close();
      if (file !== undefined && !written) await rm(file, { force: true });
    },
  };
}

async function create(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx', 0o600);
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new Problem('codes_file', { file, reason }, { cause });
  }
}
