/**
 * The three authorities: the root, and below it the issuing CA (services) and the edge CA (public
 * names of an island without a public certificate). docs/decisions/021-profiles.md
 */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { encodeCertificate, newSerial } from './certificate.ts';
import { generateKey, type KeyPair, keyId } from './key.ts';
import { type CaRole, caPolicies, lifetimes } from './policy.ts';
import { Refusal } from './refusal.ts';

export interface Authority {
  role: CaRole;
  certificate: X509Certificate;
  key: KeyObject;
}

/** A CA's name follows from its role and key, so two CAs never share one. */
export const authorityName = (role: CaRole, key: KeyObject): string =>
  `Private Island ${role} CA ${keyId(key).toString('hex').slice(0, 16)}`;

/** @param now Unix ms */
export async function createRoot(now: number): Promise<Authority> {
  const pair = await generateKey();
  return certify('root', pair, { role: 'root', key: pair.privateKey }, now, now + lifetimes.root);
}

/**
 * A new issuing or edge CA below `root`, one year long or as long as the root still lasts.
 * @param now Unix ms
 */
export async function createIssuing(
  root: Authority,
  role: 'issuing' | 'edge',
  now: number,
): Promise<Authority> {
  const notAfter = Math.min(now + lifetimes[role], root.certificate.validToDate.getTime());
  if (notAfter <= now) throw new Refusal('ca_expired', 'root');
  return certify(role, await generateKey(), root, now, notAfter);
}

function certify(
  role: CaRole,
  pair: KeyPair,
  issuer: { role: CaRole; key: KeyObject },
  now: number,
  notAfter: number,
): Authority {
  const policy = caPolicies[role];
  const bytes = encodeCertificate({
    subject: authorityName(role, pair.publicKey),
    issuer: authorityName(issuer.role, issuer.key),
    issuerKey: issuer.key,
    publicKey: pair.publicKey,
    serial: newSerial(),
    notBefore: now - lifetimes.backdate,
    notAfter,
    usages: policy.usages,
    names: [],
    ca: policy,
  });
  return { role, certificate: new X509Certificate(bytes), key: pair.privateKey };
}

/** Puts a stored pair together again. Throws `mismatch` when the files do not belong to each other or to the role. */
export function joinAuthority(role: CaRole, pem: string, key: KeyObject): Authority {
  const certificate = new X509Certificate(pem);
  const named = certificate.subject === `CN=${authorityName(role, key)}`;
  if (!named || !certificate.ca || !certificate.checkPrivateKey(key)) {
    throw new Refusal('mismatch', `${role}.crt`);
  }
  return { role, certificate, key };
}
