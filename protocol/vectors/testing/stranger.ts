/** For tests: what somebody needs who reads the vectors with the documents alone. No code of `protocol`. */
import { readFile } from 'node:fs/promises';

// biome-ignore lint/suspicious/noExplicitAny: parsed JSON, read as a stranger would
export type Json = any;

/** A file of vectors by its name. */
export const read = async (name: string): Promise<Json> =>
  JSON.parse(await readFile(new URL(`../${name}.json`, import.meta.url), 'utf8'));

export const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
export const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));
export const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

export const u32 = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return new Uint8Array(bytes);
};
