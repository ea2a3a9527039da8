/**
 * Vectors of transparency-dev/merkle, where they are: `../shared/vectors/merkle` beside the repository.
 * They are read in place and never copied.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromBase64 } from '../../wire/text.ts';

type Json = Record<string, unknown>;

/** One case: fields as they stand there, hashes as bytes. */
export interface MerkleCase {
  name: string;
  /** The proof must be refused. */
  refused: boolean;
  number(field: string): number;
  hash(field: string): Uint8Array;
  proof: Uint8Array[];
}

const folder = fileURLToPath(new URL('../../../../shared/vectors/merkle/', import.meta.url));

/** All cases of one kind, or `undefined` where the vectors are not there. */
export function merkleVectors(kind: 'inclusion' | 'consistency'): MerkleCase[] | undefined {
  const root = join(folder, kind);
  if (!existsSync(root)) return undefined;
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => {
      const read = JSON.parse(readFileSync(join(root, file), 'utf8')) as Json;
      return {
        name: file,
        refused: read['wantErr'] as boolean,
        number: (field) => read[field] as number,
        hash: (field) => fromBase64((read[field] as string | null) ?? ''),
        proof: ((read['proof'] as string[] | null) ?? []).map(fromBase64),
      };
    });
}
