/**
 * Wycheproof vectors (C2SP), where they are: `../shared/vectors/wycheproof` beside the repository.
 * They are read in place and never copied.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fromHex } from '../../wire/text.ts';

/** One test case, flat: its group's fields are merged in. */
export interface Case {
  readonly id: number;
  readonly result: 'valid' | 'invalid' | 'acceptable';
  readonly flags: readonly string[];
  /** A field as bytes. */
  bytes(field: string): Uint8Array;
  has(field: string): boolean;
  number(field: string): number;
}

type Json = Record<string, unknown>;

const folder = new URL('../../../../shared/vectors/wycheproof/', import.meta.url);

/** The cases of a file, or `undefined` where the vectors are not there. */
export function wycheproof(file: string): readonly Case[] | undefined {
  const path = fileURLToPath(new URL(file, folder));
  if (!existsSync(path)) return undefined;
  const read = JSON.parse(readFileSync(path, 'utf8')) as {
    testGroups: (Json & { tests: Json[] })[];
  };
  return read.testGroups.flatMap(({ tests, ...group }) => {
    const key = (group['publicKey'] as Json | undefined)?.['pk'];
    return tests.map((test): Case => {
      const all: Json = { ...group, publicKeyHex: key, ...test };
      return {
        id: test['tcId'] as number,
        result: test['result'] as Case['result'],
        flags: test['flags'] as string[],
        bytes: (field) => fromHex(all[field] as string),
        has: (field) => typeof all[field] === 'string',
        number: (field) => all[field] as number,
      };
    });
  });
}
