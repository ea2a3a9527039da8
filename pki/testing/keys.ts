/** What keys of a CA are sealed under in tests: one byte, repeated, for each version. */
import { createSecretKey } from 'node:crypto';
import type { SealingKeys } from '../sealed-key.ts';

export const keysOfVersions = (...versions: number[]): SealingKeys => ({
  newest: Math.max(...versions),
  kek: (version) =>
    versions.includes(version) ? createSecretKey(Buffer.alloc(32, version)) : undefined,
});

export const testKeys = keysOfVersions(1);
