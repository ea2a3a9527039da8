/**
 * Certificates of the engines: asked of pkid like everybody's, written where the engine reads them,
 * renewed between a third and a half of their life. docs/decisions/031-supervisor.md
 */
import type { Run } from '@island/provisioning/layout.ts';
import { writeCertificate } from '@island/provisioning/run-files.ts';
import type { Credentials } from '@island/services/kit/certificate-request.ts';
import type { Log } from '@island/services/kit/log.ts';
import { type Identity, obtainIdentity } from '@island/services/kit/mtls.ts';

/** Certificates by who shows them: the engines among themselves, and `public` to clients. */
export type HeldCertificate = 'nats' | 'redis' | 'edge' | 'public';

export interface CertificateWatch<Name extends HeldCertificate> {
  run: Run;
  name: Name;
  log: Log;
  /** Makes the engine read its files again. */
  reload: () => Promise<void>;
  seen: (name: string, notAfter: number) => void;
}

/** Obtains and writes the certificate, then keeps it fresh until disposed. */
export async function keepCertificate<Name extends HeldCertificate>(
  watch: CertificateWatch<Name>,
): Promise<Identity<Name>> {
  const { run, name, log } = watch;
  const identity = await obtainIdentity({ name, socket: run.pkidSocket(name), log });
  const write = async (credentials: Credentials): Promise<void> => {
    await writeCertificate(run, name, credentials);
    watch.seen(name, credentials.notAfter);
  };
  await write(identity.current());
  identity.onRenewed((credentials) => {
    write(credentials)
      .then(watch.reload)
      // An engine that is down reads the new files when it starts.
      .catch((error: unknown) => log.warn('engine_not_reloaded', { peer: name, ...reason(error) }));
  });
  return identity;
}

const reason = (error: unknown): { reason?: string } =>
  error instanceof Error ? { reason: error.message } : {};
