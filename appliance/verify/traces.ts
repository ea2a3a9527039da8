/** Looks for secrets in what the island keeps: databases, journals, logs, whatever lies in its folder. */
import type { KeyObject } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Needle {
  what: string;
  bytes: Buffer;
}

const chunk = 4_194_304;

/** The value as bytes and in the spellings that programs write. */
export function spellings(what: string, value: Uint8Array | string): Needle[] {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value);
  const texts = [
    bytes.toString('hex'),
    bytes.toString('base64url'),
    bytes.toString('base64').replace(/=+$/, ''),
  ];
  return [{ what, bytes }, ...texts.map((text) => ({ what, bytes: Buffer.from(text) }))];
}

/** A private key of a CA: its number in every spelling, and the lines of its PEM. */
export function keySpellings(what: string, key: KeyObject): Needle[] {
  const number = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
  const lines = String(key.export({ format: 'pem', type: 'pkcs8' }))
    .split('\n')
    .slice(1, 3);
  return [...spellings(what, number), ...lines.map((line) => ({ what, bytes: Buffer.from(line) }))];
}

export const among = (needles: readonly Needle[], body: Uint8Array): string[] =>
  needles
    .filter(({ bytes }) => Buffer.from(body.buffer, body.byteOffset, body.length).includes(bytes))
    .map(({ what }) => what);

/** Files below `folders` that hold one of the needles, and how many files and bytes were read. */
export async function searchFiles(
  folders: readonly string[],
  needles: readonly Needle[],
): Promise<{ hits: string[]; files: number; bytes: number }> {
  const overlap = Math.max(...needles.map(({ bytes }) => bytes.length));
  const hits = new Set<string>();
  let files = 0;
  let bytes = 0;
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      files++;
      for await (const part of chunks(path, overlap)) {
        bytes += part.length;
        for (const what of among(needles, part)) hits.add(`${what} in ${path}`);
      }
    }
  }
  return { hits: [...hits], files, bytes };
}

/** The file in pieces that overlap, so that nothing hides at a border. */
async function* chunks(path: string, overlap: number): AsyncGenerator<Uint8Array> {
  await using file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return;
  const buffer = Buffer.alloc(chunk + overlap);
  for (let at = 0, kept = 0; ; ) {
    const { bytesRead } = await file.read(buffer, kept, chunk, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    const end = kept + bytesRead;
    yield buffer.subarray(0, end);
    kept = Math.min(overlap, end);
    buffer.copyWithin(0, end - kept, end);
  }
}
