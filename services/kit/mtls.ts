/**
 * The identity of a service: a key made in memory and a certificate from pkid, renewed long before
 * its end, and the TLS options that go with it. docs/decisions/024-pkid.md
 */
import { constants, X509Certificate } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { ConnectionOptions, SecureContextOptions, TlsOptions } from 'node:tls';
import { Fault } from '@island/protocol/wire/fault.ts';
import { backoff, pause } from './backoff.ts';
import {
  type CertificateName,
  type Credentials,
  requestCertificate,
} from './certificate-request.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Log } from './log.ts';
import { dnsName, engines, type PeerName, services } from './names.ts';
import { until } from './until.ts';

export type { Credentials } from './certificate-request.ts';

/** The supervisor also holds one for the public name; whoever speaks mTLS has a peer's. */
export interface Identity<Name extends CertificateName = PeerName> extends AsyncDisposable {
  readonly name: Name;
  /** The newest credentials. Don't keep them: ask again for every connection. */
  current(): Credentials;
  /** Calls `listener` after every renewal; the returned function ends that. */
  onRenewed(listener: (credentials: Credentials) => void): () => void;
}

/** How long the first certificate is waited for (ms): pkid may be starting at the same time. */
const firstPatience = 15_000;
const slowestRetry = 30_000;

/**
 * Obtains the first certificate and keeps it fresh until disposed. pkid may go away and come back
 * meanwhile: what is held stays good until its end, and is asked for again all the while.
 * Throws a Fault: pkid's own at once, `unavailable` when it did not answer for `patience` ms.
 */
export async function obtainIdentity<Name extends CertificateName = PeerName>(o: {
  name: Name;
  socket: string;
  clock?: Clock;
  log?: Log;
  patience?: number;
}): Promise<Identity<Name>> {
  const { name, socket, log, clock = systemClock } = o;
  const stop = new AbortController();
  const listeners = new Set<(credentials: Credentials) => void>();
  let obtained = clock.now();
  let credentials = await firstCertificate(o, clock);

  const renew = async (): Promise<void> => {
    for (let failures = 0; !stop.signal.aborted; ) {
      try {
        credentials = await requestCertificate({ name, socket });
        obtained = clock.now();
        log?.info('certificate_renewed', { peer: name, until: credentials.notAfter });
        return;
      } catch (error) {
        failures += 1;
        const code = error instanceof Fault ? error.code : 'internal';
        log?.warn('certificate_not_renewed', { peer: name, code, attempt: failures });
        await pause(
          backoff({ first: 100, most: retryCeiling(credentials, obtained) }, failures),
          stop.signal,
        );
      }
    }
  };
  const tell = (listener: (credentials: Credentials) => void): void => {
    try {
      listener(credentials);
    } catch (error) {
      log?.error('renewal_listener_failed', error, { peer: name });
    }
  };
  const keepFresh = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await until(renewalPoint(obtained, credentials.notAfter, Math.random()), stop.signal, clock);
      if (!stop.signal.aborted) await renew();
      if (!stop.signal.aborted) for (const listener of [...listeners]) tell(listener);
    }
  };
  const kept = keepFresh();
  return {
    name,
    current: () => credentials,
    onRenewed(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      listeners.clear();
      await kept;
    },
  };
}

/** Between a third and a half of the life, at random: not all at once, and with half a life to retry in. */
export const renewalPoint = (obtained: number, notAfter: number, random: number): number =>
  obtained + ((notAfter - obtained) * (2 + random)) / 6;

/** A short life needs quick retries. */
const retryCeiling = ({ notAfter }: Credentials, obtained: number): number =>
  Math.max(200, Math.min(slowestRetry, (notAfter - obtained) / 20));

async function firstCertificate(
  o: { name: CertificateName; socket: string; patience?: number },
  clock: Clock,
): Promise<Credentials> {
  const deadline = clock.now() + (o.patience ?? firstPatience);
  for (let failures = 1; ; failures++) {
    try {
      return await requestCertificate(o);
    } catch (error) {
      const away = error instanceof Fault && error.code === 'unavailable';
      if (!away || clock.now() >= deadline) throw error;
      // A wait that keeps the process alive: nothing else may hold it yet.
      await setTimeout(backoff({ first: 20, most: 500 }, failures));
    }
  }
}

/** What a TLS context is made of; also the argument of `setSecureContext`. */
export const secureContext = ({ key, cert, ca, crl }: Credentials): SecureContextOptions => ({
  key,
  cert,
  ca,
  crl,
  minVersion: 'TLSv1.3',
  // A resumed session would skip the check of the client's certificate, even an expired one.
  secureOptions: constants.SSL_OP_NO_TICKET,
});

/**
 * Options of a server that only certificate holders of the island reach. They hold today's
 * credentials: `guard` of peer-server.ts swaps them later and says who of the holders may enter.
 */
export const serverOptions = (identity: Identity): TlsOptions => ({
  ...secureContext(identity.current()),
  requestCert: true,
  rejectUnauthorized: true,
  handshakeTimeout: 10_000,
});

/** Options of one connection to `peer`, which must show the certificate of that name and no other. */
export const clientOptions = (identity: Identity, peer: PeerName): ConnectionOptions => ({
  ...secureContext(identity.current()),
  servername: dnsName(peer),
  rejectUnauthorized: true,
  checkServerIdentity: (_host, { raw }) =>
    peerName(new X509Certificate(raw)) === peer ? undefined : new Fault('forbidden'),
});

const peers: readonly PeerName[] = [...services, ...engines];

/** Whose certificate it is: the DNS SAN, looked up in the closed list. The subject and other kinds of name say nothing. */
export const peerName = (certificate: X509Certificate | undefined): PeerName | undefined =>
  peers.find(
    (name) =>
      certificate?.checkHost(dnsName(name), { subject: 'never', wildcards: false }) !== undefined,
  );
