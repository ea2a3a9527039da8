/** A secret that an operator hands over in a file: never as an argument, which other users of the machine can see. */
import { open } from 'node:fs/promises';
import { Stated } from '@island/provisioning/stated.ts';

const largest = 1024;

/** The first line. Throws `Stated` for a file that is not there, that others can open, or that has none. */
export async function readSecret(file: string): Promise<string> {
  await using handle = await open(file, 'r').catch(() => {
    throw new Stated(
      `The file ${file} with the secret cannot be read: check its path and its rights.`,
    );
  });
  const { mode } = await handle.stat();
  if ((mode & 0o077) !== 0)
    throw new Stated(`Others can open ${file}, which holds a secret: run chmod 600 ${file}`);
  const bytes = Buffer.alloc(largest + 2);
  const { bytesRead } = await handle.read(bytes).catch((cause: unknown) => {
    throw new Stated(`The file ${file} with the secret cannot be read.`, { cause });
  });
  const secret = bytes.toString('utf8', 0, bytesRead).split('\n')[0]?.trim() ?? '';
  if (secret === '' || secret.length > largest)
    throw new Stated(`The first line of ${file} is to be the secret: 1 to ${largest} characters.`);
  return secret;
}
