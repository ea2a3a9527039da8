/** Leaf certificates from a public key. What was encoded is read back by node:crypto before it is handed out. */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { type Authority, authorityName } from './ca.ts';
import { encodeCertificate, newSerial } from './certificate.ts';
import { readSpki, spkiOf } from './key.ts';
import { type LeafKind, leafPolicies, lifetimes } from './policy.ts';
import { Refusal } from './refusal.ts';

export interface LeafRequest {
  kind: LeafKind;
  /** One name of the zone (internal), or 1 to 16 DNS names and IP addresses (public). Lower case. */
  names: readonly string[];
  /** SubjectPublicKeyInfo, DER. */
  spki: Uint8Array;
  /** Unix ms. */
  now: number;
  /** Milliseconds; a day unless given. Never past the end of the CA. */
  lifetime?: number;
  /** Of a certificate that is to be in the CRL already; random unless given. */
  serial?: Uint8Array;
}

export interface Leaf {
  certificate: X509Certificate;
  /** Lower-case hex. */
  serial: string;
  /** Unix ms, whole seconds. */
  notAfter: number;
}

/**
 * Issues a leaf. A negative `lifetime` makes one that has expired, for probes.
 * Throws `name`, `key_type`, `ca_expired`, or `profile` when the result is not what was asked for.
 */
export function issueLeaf(authority: Authority, request: LeafRequest): Leaf {
  const policy = leafPolicies[request.kind];
  if (authority.role !== policy.issuer) throw new Refusal('profile', authority.role);
  policy.check(request.names);
  const publicKey = readSpki(request.spki);
  const end = authority.certificate.validToDate.getTime();
  if (end <= request.now) throw new Refusal('ca_expired', authority.role);
  const lifetime = request.lifetime ?? lifetimes.leaf;
  const notAfter = Math.floor(Math.min(request.now + lifetime, end) / 1000) * 1000;
  const serial = Buffer.from(request.serial ?? newSerial());
  const bytes = encodeCertificate({
    subject: request.names[0] ?? '',
    issuer: authorityName(authority.role, authority.key),
    issuerKey: authority.key,
    publicKey,
    serial,
    notBefore: Math.min(request.now, notAfter) - lifetimes.backdate,
    notAfter,
    usages: policy.usages,
    names: request.names,
  });
  const certificate = new X509Certificate(bytes);
  checkProfile(certificate, authority, request, publicKey);
  return { certificate, serial: serial.toString('hex'), notAfter };
}

/** The certificate says what was asked for and nothing else: names, usages, key, issuer, signature. */
function checkProfile(
  certificate: X509Certificate,
  authority: Authority,
  request: LeafRequest,
  publicKey: KeyObject,
): void {
  const { usages } = leafPolicies[request.kind];
  const alternative = certificate.subjectAltName?.split(', ') ?? [];
  const holds =
    !certificate.ca &&
    alternative.length === request.names.length &&
    alternative.every((entry, index) => saysName(entry, request.names[index] ?? '')) &&
    String(certificate.keyUsage) === String(usages) &&
    spkiOf(certificate.publicKey).equals(spkiOf(publicKey)) &&
    certificate.checkIssued(authority.certificate) &&
    certificate.verify(authority.certificate.publicKey);
  if (!holds) throw new Refusal('profile', request.names.join(', '));
}

function saysName(entry: string, name: string): boolean {
  if (isIP(name) === 0) return entry === `DNS:${name}`;
  const address = /^IP Address:(.+)$/.exec(entry)?.[1] ?? '';
  return isIP(name) === 4 ? address === name : sameIpv6(address, name);
}

const sameIpv6 = (a: string, b: string): boolean =>
  new URL(`http://[${a}]`).host === new URL(`http://[${b}]`).host;
