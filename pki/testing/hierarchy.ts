/** A CA in memory for tests, and certificates that its own rules would never let out. */
import { X509Certificate } from 'node:crypto';
import { type Authority, authorityName, createIssuing, createRoot } from '../ca.ts';
import { type CertificateFields, encodeCertificate, newSerial } from '../certificate.ts';
import { signCrl } from '../crl.ts';
import { issueLeaf, type LeafRequest } from '../issue.ts';
import { generateKey, type KeyPair, spkiOf } from '../key.ts';
import { pem } from '../pem.ts';
import { caPolicies, lifetimes } from '../policy.ts';

export interface Hierarchy {
  root: Authority;
  issuing: Authority;
  edge: Authority;
  now: number;
}

export async function hierarchy(now = Date.now()): Promise<Hierarchy> {
  const root = await createRoot(now);
  const issuing = await createIssuing(root, 'issuing', now);
  return { root, issuing, edge: await createIssuing(root, 'edge', now), now };
}

export const certificatePem = (certificate: X509Certificate): string =>
  pem('CERTIFICATE', certificate.raw);

export interface KeyedLeaf extends KeyPair {
  certificate: X509Certificate;
  serial: string;
}

/** A leaf by the rules, with its key. */
export async function leafOf(
  { issuing, edge, now }: Hierarchy,
  request: Omit<LeafRequest, 'spki' | 'now'>,
): Promise<KeyedLeaf> {
  const pair = await generateKey();
  const authority = request.kind === 'public' ? edge : issuing;
  return { ...pair, ...issueLeaf(authority, { ...request, spki: spkiOf(pair.publicKey), now }) };
}

/** Whatever a thief of the CA's key could sign: the fields of a normal leaf, changed at will. */
export async function forgedLeaf(
  authority: Authority,
  changes: Partial<CertificateFields>,
  now = Date.now(),
): Promise<KeyedLeaf> {
  const pair = await generateKey();
  const serial = newSerial();
  const bytes = encodeCertificate({
    subject: changes.names?.[0] ?? 'forged',
    issuer: authorityName(authority.role, authority.key),
    issuerKey: authority.key,
    publicKey: pair.publicKey,
    serial,
    notBefore: now - lifetimes.backdate,
    notAfter: now + 3_600_000,
    usages: caPolicies.issuing.usages,
    names: [],
    ...changes,
  });
  return { ...pair, certificate: new X509Certificate(bytes), serial: serial.toString('hex') };
}

/** Lists of the root and the authority, for as long as the test runs. */
export function listsOf(
  { root, now }: Hierarchy,
  authority: Authority,
  revoked: string[] = [],
): string[] {
  const fields = { number: now, now, nextUpdate: now + 3_600_000 };
  return [
    signCrl(root, { ...fields, revoked: [] }),
    signCrl(authority, { ...fields, revoked: revoked.map((serial) => ({ serial, at: now })) }),
  ];
}
