/** Certificates of the engines, which want files. The key lies in the run folder only, made anew at every start and renewal. */
import { join } from 'node:path';
import { writePrivate } from '@island/pki/store.ts';
import { requestCertificate } from '@island/services/kit/certificate-request.ts';
import type { EngineName } from '@island/services/kit/names.ts';

/**
 * Obtains a certificate over a socket of pkid and writes `<name>.pem` (chain and key in one file, so
 * that the two always fit) and `trust.pem` (the roots) into `dir`, each whole or not at all, 0600.
 * `public` is the edge's own-CA certificate: its chain ends with the root, which clients pin.
 * Throws a Fault: `unavailable` when pkid does not answer.
 * @returns the end of the certificate, Unix ms
 */
export async function obtainEngineFiles(o: {
  name: EngineName | 'public';
  socket: string;
  dir: string;
}): Promise<number> {
  const { key, cert, ca, notAfter } = await requestCertificate({ name: o.name, socket: o.socket });
  const chain = o.name === 'public' ? cert + ca : cert;
  await writePrivate(join(o.dir, 'trust.pem'), ca);
  await writePrivate(join(o.dir, `${o.name}.pem`), chain + key);
  return notAfter;
}
