/**
 * Certificates of the engines: asked of pkid like everybody's, written where the engine reads them,
 * renewed between a third and a half of their life. docs/decisions/031-supervisor.md
 */
import type { Run } from '@island/provisioning/layout.ts';
import { writeCertificate } from '@island/provisioning/run-files.ts';
import { pause } from '@island/services/kit/backoff.ts';
import type { Credentials } from '@island/services/kit/certificate-request.ts';
import { failure, type Log } from '@island/services/kit/log.ts';
import { type Identity, obtainIdentity } from '@island/services/kit/mtls.ts';

/** Milliseconds between two tries to hand over a renewed certificate. */
const retry = 5000;

/** Certificates by who shows them: the engines among themselves, and `public` to clients. */
export type HeldCertificate = 'nats' | 'redis' | 'edge' | 'public';

export interface CertificateWatch<Name extends HeldCertificate> {
  run: Run;
  name: Name;
  log: Log;
  /** Makes the engine read its files again. */
  reload: () => Promise<void>;
  seen: (name: string, notAfter: number) => void;
  /** Aborted when the island ends. */
  signal: AbortSignal;
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
  let newest = 0;
  identity.onRenewed(async (credentials) => {
    const mine = ++newest;
    // An engine that is down reads the new files when it starts; a disk that is full is tried again.
    while (mine === newest && !watch.signal.aborted) {
      try {
        await write(credentials);
        return await watch.reload();
      } catch (error) {
        log.warn('engine_not_reloaded', { peer: name, ...failure(error) });
        await pause(retry, watch.signal);
      }
    }
  });
  return identity;
}
