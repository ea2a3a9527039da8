/**
 * A new issuing or edge CA under the same root; needs the root's passphrase. docs/decisions/023-ca-renewal.md
 * The CA before it is kept as `previous-…`: pkid hands out the new CA's list first, and leaves only
 * when every peer has it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Authority, createIssuing, joinAuthority } from './ca.ts';
import { saveRootCrl } from './first-boot.ts';
import type { SealingKeys } from './sealed-key.ts';
import { files, loadPair, orMissing, readPrivate, saveAuthority } from './store.ts';
import { unwrapKey } from './wrap.ts';

/**
 * Throws `missing`, `passphrase`, `mismatch`, what `openKey` throws, or `ca_expired` when the root itself has ended.
 * pkid must not be at work meanwhile: it seals the same files anew when the master key is changed.
 */
export async function renewIssuing(o: {
  dir: string;
  role: 'issuing' | 'edge';
  passphrase: string;
  keys: SealingKeys;
  now?: number;
}): Promise<Authority> {
  const now = o.now ?? Date.now();
  const root = await loadRoot(o.dir, o.passphrase);
  const { current: before } = await loadPair(o.dir, o.role, o.keys);
  const renewed = await createIssuing(root, o.role, now);
  const { current: other } = await loadPair(
    o.dir,
    o.role === 'issuing' ? 'edge' : 'issuing',
    o.keys,
  );
  // The certificate goes last: the pair in use is never half new.
  await saveAuthority(o.dir, before, o.keys, files.previous);
  await saveRootCrl(o.dir, root, [renewed, before, other], now);
  await saveAuthority(o.dir, renewed, o.keys);
  return renewed;
}

/** The root with its key, for as long as the caller keeps it. */
export async function loadRoot(dir: string, passphrase: string): Promise<Authority> {
  const certificate = await readFile(join(dir, files.rootCertificate), 'utf8').catch(
    orMissing(dir),
  );
  const wrapped = await readPrivate(join(dir, files.rootKey)).catch(orMissing(dir));
  return joinAuthority('root', certificate, await unwrapKey(wrapped, passphrase));
}
