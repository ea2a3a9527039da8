/** Serials of revoked certificates: one JSON line each in revoked.log, only ever appended. */
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Revoked } from './crl.ts';
import { files } from './store.ts';

/** Adds a serial (lower-case hex); pkid's next list has it. @param at Unix ms */
export async function revoke(dir: string, entry: Revoked): Promise<void> {
  await using handle = await open(join(dir, files.revoked), 'a', 0o600);
  await handle.appendFile(`${JSON.stringify(entry)}\n`);
  await handle.sync();
}

/** Everything ever revoked here; a line that a power cut left half-written is no entry. */
export async function readRevoked(dir: string): Promise<Revoked[]> {
  const text = await readFile(join(dir, files.revoked), 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').flatMap(readEntry);
}

function readEntry(line: string): Revoked[] {
  const match = /^\{"serial":"((?:[0-9a-f]{2}){1,20})","at":(\d{1,16})\}$/.exec(line);
  const [, serial, at] = match ?? [];
  return serial === undefined ? [] : [{ serial, at: Number(at) }];
}
