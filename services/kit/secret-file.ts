/** A random secret in a file of the service's own folder (0600), made once and kept. docs/threat-model.md */
import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';

const length = 32;

/**
 * The 32 bytes in `file`; made and synced to disk first when there are none and `mayMake` says so.
 * @throws Error, one plain sentence for the operator, when the file is missing though it must not be, or damaged
 */
export async function openSecret(file: string, mayMake: boolean): Promise<Uint8Array> {
  const kept = await readSecret(file);
  if (kept !== undefined) return kept;
  if (!mayMake) {
    throw new Error(
      `${file} is missing, and what the database holds depends on it: restore it from a backup.`,
    );
  }
  const fresh = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await using handle = await open(fresh, 'wx', 0o600);
    await handle.writeFile(randomBytes(length));
    await handle.sync();
    // A link, not a rename: of two starts at once the first one's secret stays.
    await link(fresh, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(fresh, { force: true });
  }
  return openSecret(file, false);
}

async function readSecret(file: string): Promise<Uint8Array | undefined> {
  try {
    const bytes = await readFile(file);
    if (bytes.length !== length) throw new Error(`${file} is damaged: restore it from a backup.`);
    return new Uint8Array(bytes);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
