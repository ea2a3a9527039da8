/** The certificate of an engine as files, obtained once: for an engine that runs without a supervisor. */
import { requestCertificate } from '@island/services/kit/certificate-request.ts';
import type { EngineName } from '@island/services/kit/names.ts';
import { runAt } from './layout.ts';
import { writeCertificate } from './run-files.ts';

/**
 * Obtains a certificate over a socket of pkid and writes it into `dir` as the run folder has it.
 * Throws a Fault: `unavailable` when pkid does not answer.
 * @returns the end of the certificate, Unix ms
 */
export async function obtainEngineFiles(o: {
  name: EngineName | 'public';
  socket: string;
  dir: string;
}): Promise<number> {
  const credentials = await requestCertificate({ name: o.name, socket: o.socket });
  await writeCertificate(runAt(o.dir), o.name, credentials);
  return credentials.notAfter;
}
