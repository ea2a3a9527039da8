/** The CA of a new island: three key pairs, three certificates, the root's key under its passphrase, the others sealed. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type Authority, createIssuing, createRoot } from './ca.ts';
import { signCrl } from './crl.ts';
import { fingerprint } from './fingerprint.ts';
import { pem } from './pem.ts';
import { Refusal } from './refusal.ts';
import type { SealingKeys } from './sealed-key.ts';
import { files, privateFolder, saveAuthority, writePrivate } from './store.ts';
import { type WrapCost, wrapKey } from './wrap.ts';

const day = 86_400_000;

/**
 * Fills `dir` (made 0700 if need be). The root certificate is written last: a folder without it is
 * unfinished and is filled anew; a folder with it throws `exists`. Also throws `passphrase_short`.
 * @param now Unix ms
 * @returns the fingerprint (SHA-256 of the root's DER, 32 bytes) and the root as PEM
 */
export async function firstBootPki(o: {
  dir: string;
  passphrase: string;
  /** What the keys of the CAs below the root are sealed under. */
  keys: SealingKeys;
  now?: number;
  /** What a guess at the passphrase costs; lower only in tests. */
  cost?: WrapCost;
}): Promise<{ fingerprint: Uint8Array; rootPem: string }> {
  const now = o.now ?? Date.now();
  await privateFolder(o.dir);
  if (await exists(join(o.dir, files.rootCertificate))) throw new Refusal('exists', o.dir);
  const root = await createRoot(now);
  const wrapped = await wrapKey(root.key, o.passphrase, o.cost);
  await writePrivate(join(o.dir, files.rootKey), wrapped);
  const authorities = [
    await createIssuing(root, 'issuing', now),
    await createIssuing(root, 'edge', now),
  ];
  for (const authority of authorities) await saveAuthority(o.dir, authority, o.keys);
  await saveRootCrl(o.dir, root, authorities, now);
  const rootPem = pem('CERTIFICATE', root.certificate.raw);
  await writePrivate(join(o.dir, files.rootCertificate), rootPem);
  return { fingerprint: fingerprint(root.certificate), rootPem };
}

/**
 * The root's own list. It can only be signed when the passphrase is at hand, so it lasts as long as
 * the longest of the CAs below: whatever is still trusted has a list that is still good.
 */
export async function saveRootCrl(
  dir: string,
  root: Authority,
  below: readonly Authority[],
  now: number,
): Promise<void> {
  const last = Math.max(...below.map(({ certificate }) => certificate.validToDate.getTime()));
  const crl = signCrl(root, { number: now, now, nextUpdate: last + day, revoked: [] });
  await writePrivate(join(dir, files.rootCrl), crl);
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
