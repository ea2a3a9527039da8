/** The CAs that pkid signs with, and the revocation lists that belong to the trust it hands out. docs/decisions/023-ca-renewal.md */
import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authority } from '@island/pki/ca.ts';
import { signCrl } from '@island/pki/crl.ts';
import { keyId } from '@island/pki/key.ts';
import { lifetimes } from '@island/pki/policy.ts';
import { Refusal } from '@island/pki/refusal.ts';
import { readRevoked } from '@island/pki/revoked.ts';
import type { SealingKeys } from '@island/pki/sealed-key.ts';
import { files, loadPair, orMissing } from '@island/pki/store.ts';

/** Milliseconds. Shorter ones than `lifetimes` are for tests. */
export interface Lives {
  leaf: number;
  crl: number;
  crlEvery: number;
}

export interface Authorities {
  /** PEM. */
  root: string;
  /** The CA of the role that signs now. */
  issuer(role: 'issuing' | 'edge', now: number): Authority;
  /** Lists of the root and of every CA of the role that a living leaf may come from; one PEM each. */
  crls(role: 'issuing' | 'edge', now: number): Promise<string[]>;
}

/** Throws a Refusal (a plain sentence) when the folder is not a CA, is open to others, or does not fit together, and when its keys don't open. */
export async function openAuthorities(
  dir: string,
  keys: SealingKeys,
  lives: Lives,
): Promise<Authorities> {
  const text = (name: string): Promise<string> =>
    readFile(join(dir, name), 'utf8').catch(orMissing(dir));
  const root = await text(files.rootCertificate);
  const rootCrl = await text(files.rootCrl);
  if (!rootCrl.startsWith('-----BEGIN X509 CRL')) throw new Refusal('mismatch', files.rootCrl);
  const pairs = {
    issuing: await loadPair(dir, 'issuing', keys),
    edge: await loadPair(dir, 'edge', keys),
  };
  const rootKey = new X509Certificate(root).publicKey;
  for (const { current } of Object.values(pairs)) {
    if (!current.certificate.verify(rootKey)) throw new Refusal('mismatch', files.rootCertificate);
  }
  const lists = new Map<Authority, { signed: number; count: number; crl: string }>();

  const list = async (authority: Authority, now: number): Promise<string> => {
    const revoked = await readRevoked(dir);
    const known = lists.get(authority);
    const fresh = known && now - known.signed < lives.crlEvery && known.count === revoked.length;
    if (fresh) return known.crl;
    const at = authority.certificate.validFromDate.getTime();
    const probe = { serial: revokedProbe(authority).toString('hex'), at };
    const fields = { number: now, now, nextUpdate: now + lives.crl, revoked: [...revoked, probe] };
    const crl = signCrl(authority, fields);
    lists.set(authority, { signed: now, count: revoked.length, crl });
    return crl;
  };

  return {
    root,
    issuer(role, now) {
      const { current, previous } = pairs[role];
      return previous && now < handover(current, previous, lives) ? previous : current;
    },
    async crls(role, now) {
      const { current, previous } = pairs[role];
      const crls = [rootCrl, await list(current, now)];
      const stillGood = previous && now < previous.certificate.validToDate.getTime();
      if (stillGood) crls.push(await list(previous, now));
      return crls;
    },
  };
}

/**
 * A serial that is in every list of the CA from the first on: who bears it is refused wherever
 * revocation works, which is how `island verify` shows that it does.
 */
export function revokedProbe(authority: Authority): Buffer {
  const serial = createHash('sha256')
    .update('island/pkid/revoked-probe/1\0')
    .update(keyId(authority.key))
    .digest();
  serial[0] = 0x40;
  return serial.subarray(0, 20);
}

/**
 * When a renewed CA begins to sign: one leaf's life after it was made. By then whoever still has a
 * good certificate has fetched one since, and with it the new CA's list, without which Node would
 * refuse every leaf of the new CA. At the end of the old CA there is nothing to wait for.
 */
function handover(current: Authority, previous: Authority, lives: Lives): number {
  const made = current.certificate.validFromDate.getTime() + lifetimes.backdate;
  const end = previous.certificate.validToDate.getTime() - lives.leaf;
  return Math.min(made + lives.leaf, end);
}
