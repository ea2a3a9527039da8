/** What each socket may have signed, and the log of everything that was. docs/decisions/024-pkid.md */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authority } from '@island/pki/ca.ts';
import { issueLeaf, type Leaf, type LeafRequest } from '@island/pki/issue.ts';
import { pem } from '@island/pki/pem.ts';
import type { LeafKind } from '@island/pki/policy.ts';
import { files } from '@island/pki/store.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { CertificateName, Credentials } from '../kit/certificate-request.ts';
import { dnsName } from '../kit/names.ts';
import { type Authorities, type Lives, revokedProbe } from './authorities.ts';
import { type CertificateRequest, checkPossession } from './request.ts';

const probeLife = 5 * 60_000;
const expiredLife = -60 * 60_000;

export type Certified = Omit<Credentials, 'key'>;

export interface Issuance {
  /** Checks, signs, logs, and only then answers. */
  issue(name: CertificateName, request: CertificateRequest): Promise<Certified>;
}

export function openIssuance(o: {
  dir: string;
  authorities: Authorities;
  /** DNS names and IP addresses of the public certificate. */
  hosts: readonly string[];
  lives: Lives;
  now: () => number;
}): Issuance {
  return {
    async issue(name, request) {
      checkPossession(name, request);
      const now = o.now();
      const role = name === 'public' ? 'edge' : 'issuing';
      const authority = o.authorities.issuer(role, now);
      const leafRequest = { ...profile(name, request, authority, o), spki: request.spki, now };
      const crl = await o.authorities.crls(role, now);
      const leaf = issueLeaf(authority, leafRequest);
      await log(o.dir, name, leafRequest, leaf);
      const cert =
        pem('CERTIFICATE', leaf.certificate.raw) + pem('CERTIFICATE', authority.certificate.raw);
      return { cert, ca: o.authorities.root, crl, notAfter: leaf.notAfter };
    },
  };
}

type Profile = Pick<LeafRequest, 'kind' | 'names' | 'lifetime' | 'serial'>;

/** The socket decides the name; the request decides nothing but, on the probe's socket, the kind of probe. */
function profile(
  name: CertificateName,
  { kind, peer }: CertificateRequest,
  authority: Authority,
  o: { hosts: readonly string[]; lives: Lives },
): Profile {
  const internal = (label: string): { kind: LeafKind; names: string[] } => ({
    kind: 'internal',
    names: [dnsName(label)],
  });
  if (name !== 'probe') {
    if (kind !== undefined || peer !== undefined) throw new Fault('forbidden');
    const lifetime = o.lives.leaf;
    if (name === 'public') return { kind: 'public', names: o.hosts, lifetime };
    return { ...internal(name), lifetime };
  }
  // A living probe bears a name that is in nobody's list; only one past its end may bear a peer's.
  if (kind === 'expired') return { ...internal(peer ?? 'probe'), lifetime: expiredLife };
  if (kind === undefined || peer !== undefined) throw new Fault('forbidden');
  if (kind === 'valid') return { ...internal('probe'), lifetime: probeLife };
  return { ...internal('probe'), lifetime: probeLife, serial: revokedProbe(authority) };
}

/** Appends one line. A certificate that could not be logged is not handed out. */
async function log(dir: string, name: string, request: LeafRequest, leaf: Leaf): Promise<void> {
  const at = new Date(request.now).toISOString();
  const notAfter = new Date(leaf.notAfter).toISOString();
  const line = JSON.stringify({
    at,
    serial: leaf.serial,
    for: name,
    names: request.names,
    notAfter,
  });
  await using handle = await open(join(dir, files.issued), 'a', 0o600);
  await handle.appendFile(`${line}\n`);
}
