/**
 * Sender certificates: our own, which goes into every envelope, and those of others, which are looked at
 * before anybody is asked who the sender is. docs/protocol/dm.md §9
 *
 * The root that signs them is pinned when this home first needs it, over the connection that nobody is
 * signed in on. A certificate proves no sender: it keeps strangers from making work.
 */
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import {
  checkCertificateTime,
  readCertificate,
  type SenderCertificate,
} from '@island/protocol/crypto/sender-certificate.ts';
import { hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { backoff, pause } from '../backoff.ts';
import { Problem, willPass } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Storage } from '../storage/storage.ts';
import { callApart, type Transport } from '../transport/transport.ts';

export interface Certificates {
  /** Our own, good for now; fetched when there is none. Throws what a call throws. */
  own(signal?: AbortSignal): Promise<Uint8Array>;
  /**
   * Whom a certificate names. Throws `CryptoFault` `certificate_invalid`, `certificate_expired`; `clock_behind`
   * (Problem) for one that begins after now, and what a call throws.
   */
  read(bytes: Uint8Array, signal?: AbortSignal): Promise<SenderCertificate>;
  /** Renews our own in time, until aborted. */
  keep(signal: AbortSignal): Promise<void>;
}

export interface Certifying {
  account: { account: string; device: number };
  storage: Storage;
  session: Session;
  transport: Transport;
  /** Unix milliseconds. */
  now: () => number;
}

const record = v.strictObject({
  certificate: bytes64,
  /** Unix milliseconds: when the next is due, when this one is good no more. */
  renew: v.number(),
  ends: v.number(),
});
const ownPlace = { namespace: 'sender-certificate', key: 'own' };
const rootPlace = { namespace: 'sender-certificate', key: 'root' };
/** Certificates of others that are remembered: both of their signatures were verified. */
const mostKnown = 500;
/** Milliseconds for which the island's time is known, once a certificate of our own has shown it; and how far ahead of it others may be. */
const timeKnown = 600_000;
const ahead = 7_200_000;
/** Milliseconds: certificates are used until so long before their end. */
const margin = 60_000;

export function openCertificates(parts: Certifying): Certificates {
  const { account, storage, session, transport, now } = parts;
  const known = new Map<string, SenderCertificate>();
  let fetching: Promise<Uint8Array> | undefined;

  async function root(signal?: AbortSignal): Promise<Uint8Array> {
    const pinned = await storage.read(rootPlace.namespace, rootPlace.key);
    if (pinned) return pinned.bytes;
    const { senderRoot } = await callApart(transport, 'discovery', {}, signal ? { signal } : {});
    await storage.commit({ put: [{ ...rootPlace, bytes: senderRoot }] });
    return senderRoot;
  }

  /** How far the island's clock is ahead of ours, milliseconds: it dates what it makes for us. */
  let told: { difference: number; at: number } | undefined;
  async function islandTime(signal?: AbortSignal): Promise<number> {
    if (!told || Math.abs(now() - told.at) > timeKnown) {
      const read = readCertificate(await renew(signal), await root(signal));
      told = { difference: read.notBefore * 1000 - now(), at: now() };
    }
    return now() + told.difference;
  }

  async function held() {
    const row = await storage.read(ownPlace.namespace, ownPlace.key);
    return row && decodeRecord(record, row);
  }

  async function renew(signal?: AbortSignal): Promise<Uint8Array> {
    const options = signal ? { signal } : {};
    const { certificate } = await session.call('senderCertificate', {}, options);
    const read = readCertificate(certificate, await root(signal));
    if (read.account !== account.account || read.device !== account.device)
      throw new CryptoFault('certificate_invalid');
    const begins = read.notBefore * 1000;
    const life = (read.expires - read.notBefore) * 1000;
    const value = {
      certificate,
      renew: Math.min(begins, now()) + life * (0.4 + Math.random() * 0.2),
      ends: begins + life,
    };
    await storage.commit({ put: [{ ...ownPlace, bytes: encodeRecord(value) }] });
    return certificate;
  }

  return {
    async own(signal) {
      const present = await held();
      if (present && present.ends - margin > now()) return present.certificate;
      fetching ??= renew(signal).finally(() => {
        fetching = undefined;
      });
      return fetching;
    },
    async read(bytes, signal) {
      const key = hex(sha256(bytes));
      let certificate = known.get(key);
      if (!certificate) {
        certificate = readCertificate(bytes, await root(signal));
        if (known.size >= mostKnown) known.clear();
        known.set(key, certificate);
      }
      try {
        checkCertificateTime(certificate, now());
      } catch (error) {
        const begins = certificate.notBefore * 1000;
        if (begins <= now()) throw error;
        // Our own clock may be the wrong one: nothing is dropped for that. What is ahead of the island's, too, is.
        throw begins > (await islandTime(signal)) + ahead ? error : new Problem('clock_behind');
      }
      return certificate;
    },
    async keep(signal) {
      for (let attempt = 0; !signal.aborted; ) {
        try {
          const present = await held();
          if (!present || present.renew <= now()) await renew(signal);
          attempt = 0;
          await pause(600_000 + Math.random() * 600_000, signal);
        } catch (error) {
          if (signal.aborted || (error instanceof Problem && error.code === 'signed_out')) return;
          await pause(willPass(error) ? backoff(attempt++) : 600_000, signal);
        }
      }
    },
  };
}
