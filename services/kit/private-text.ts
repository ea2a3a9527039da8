/** A line of text in a file that only its owner can open (0600): what an operator is shown again at each start. */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';

/** The text, or nothing when there is no such file. */
export async function readPrivateText(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Replaces the file whole: after a crash it holds the old text or the new one. */
export async function writePrivateText(file: string, text: string): Promise<void> {
  const fresh = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await using handle = await open(fresh, 'wx', 0o600);
    await handle.writeFile(`${text}\n`);
    await handle.sync();
    await rename(fresh, file);
  } finally {
    await rm(fresh, { force: true });
  }
}
