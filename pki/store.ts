/** The pki folder on disk: 0700, its files 0600, each written whole or not at all. */
import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Authority, joinAuthority } from './ca.ts';
import { pem } from './pem.ts';
import type { CaRole } from './policy.ts';
import { Refusal } from './refusal.ts';
import { openKey, type SealingKeys, sealKey } from './sealed-key.ts';

/** Names within the pki folder. `previous` is the CA of a role before its last renewal. */
export const files = {
  rootCertificate: 'root.crt',
  rootKey: 'root.key.enc',
  rootCrl: 'root.crl',
  issued: 'issued.log',
  revoked: 'revoked.log',
  certificate: (role: CaRole): string => `${role}.crt`,
  /** Sealed: sealed-key.ts. */
  key: (role: CaRole): string => `${role}.key.enc`,
  /** Of earlier versions, in the clear. */
  formerKey: (role: CaRole): string => `${role}.key`,
  previous: (name: string): string => `previous-${name}`,
} as const;

/**
 * Replaces a file in one step: written beside it with mode 0600, flushed, renamed, folder flushed.
 * A reader sees the old content or the new, also after a power cut.
 */
export async function writePrivate(path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.draft`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, path);
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    throw error;
  }
  await using folder = await open(dirname(path), 'r');
  await folder.sync();
}

/** Reads a file that only its owner may read. Throws `open_file`, `foreign_file`. */
export async function readPrivate(path: string): Promise<Buffer> {
  await checkPrivate(path);
  return readFile(path);
}

/** Throws unless the file or folder is ours, no link, and closed to everybody else. */
export async function checkPrivate(path: string): Promise<void> {
  const { mode, uid } = await lstat(path);
  if (uid !== process.getuid?.()) throw new Refusal('foreign_file', path);
  if ((mode & 0o077) !== 0) throw new Refusal('open_file', path);
}

/** Makes the folder 0700, or checks that it is. */
export async function privateFolder(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 });
  if (made !== undefined) await chmod(path, 0o700);
  await checkPrivate(path);
}

/** The key first: a certificate never stands without its key. */
export async function saveAuthority(
  dir: string,
  { role, certificate, key }: Authority,
  keys: SealingKeys,
  name = (file: string): string => file,
): Promise<void> {
  const put = (file: string, content: string | Uint8Array): Promise<void> =>
    writePrivate(join(dir, name(file)), content);
  await put(files.key(role), sealKey(key, role, keys));
  await put(files.certificate(role), pem('CERTIFICATE', certificate.raw));
}

/** Throws `missing`, `mismatch`, `open_file`, `foreign_file`, and what `openKey` throws. */
export async function loadAuthority(
  dir: string,
  role: 'issuing' | 'edge',
  keys: SealingKeys,
  name = (file: string): string => file,
): Promise<Authority> {
  const key = await readPrivate(join(dir, name(files.key(role)))).catch(orMissing(dir));
  const path = join(dir, name(files.certificate(role)));
  const certificate = await readFile(path, 'utf8').catch(orMissing(dir));
  return joinAuthority(role, certificate, openKey(key, role, keys));
}

/**
 * The CA of a role and, after a renewal, the one before it. A renewal that a power cut left between
 * key and certificate counts as not having happened.
 */
export async function loadPair(
  dir: string,
  role: 'issuing' | 'edge',
  keys: SealingKeys,
): Promise<{ current: Authority; previous?: Authority }> {
  const previous = await loadAuthority(dir, role, keys, files.previous).catch((error) => {
    const none = error instanceof Refusal && ['missing', 'mismatch'].includes(error.code);
    if (none) return undefined;
    throw error;
  });
  const current = await loadAuthority(dir, role, keys).catch((error) => {
    const halfRenewed = error instanceof Refusal && error.code === 'mismatch';
    if (halfRenewed && previous !== undefined) return previous;
    throw error;
  });
  return previous === undefined || current === previous ? { current } : { current, previous };
}

export const orMissing =
  (dir: string) =>
  (error: NodeJS.ErrnoException): never => {
    throw error.code === 'ENOENT' ? new Refusal('missing', dir, { cause: error }) : error;
  };
