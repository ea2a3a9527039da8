/**
 * Who may be named how, and for how long: the profiles of every certificate. docs/decisions/021-profiles.md
 * A certificate that is not exactly one of these is not issued.
 */
import { isIP } from 'node:net';
import { Refusal } from './refusal.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** The zone of the services. The issuing CA may name only it, the edge CA anything but it. */
export const zone = 'island.internal';

export type CaRole = 'root' | 'issuing' | 'edge';
export type LeafKind = 'internal' | 'public';

/** Milliseconds. */
export const lifetimes = {
  root: 20 * 365 * day,
  issuing: 365 * day,
  edge: 365 * day,
  leaf: day,
  /** `notBefore` lies this far in the past: the clocks of two hosts differ. */
  backdate: 5 * minute,
  /** A CRL's nextUpdate. Past it every Node peer refuses everybody, so it is signed anew every `crlEvery`. */
  crl: 72 * hour,
  crlEvery: 6 * hour,
} as const;

const extendedUsage = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;

export interface CaPolicy {
  pathLength: number;
  usages: readonly string[];
  permittedDns: readonly string[];
  excludedDns: readonly string[];
  /** Whether no IP address may be named at all. */
  excludeIps: boolean;
}

const nobody = { permittedDns: [], excludedDns: [], excludeIps: false };

export const caPolicies: Readonly<Record<CaRole, CaPolicy>> = {
  root: { pathLength: 1, usages: [], ...nobody },
  issuing: {
    pathLength: 0,
    usages: [extendedUsage.server, extendedUsage.client],
    permittedDns: [zone],
    excludedDns: [],
    // A constraint on DNS names alone leaves addresses free: a stolen issuing key could name one.
    excludeIps: true,
  },
  edge: { ...nobody, pathLength: 0, usages: [extendedUsage.server], excludedDns: [zone] },
};

export interface LeafPolicy {
  issuer: CaRole;
  usages: readonly string[];
  /** Throws `name` unless every name may stand in such a certificate. */
  check(names: readonly string[]): void;
}

/** One label and the zone: no wildcard, no deeper name. */
const internalName = /^[a-z](?:[a-z0-9-]{0,40}[a-z0-9])?\.island\.internal$/;
/** LDH labels (RFC 1035, RFC 5890 A-labels): what a certificate and a Host header can both hold. */
const hostName =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

export const leafPolicies: Readonly<Record<LeafKind, LeafPolicy>> = {
  internal: {
    issuer: 'issuing',
    usages: [extendedUsage.server, extendedUsage.client],
    check(names) {
      const [name] = names;
      if (names.length !== 1 || name === undefined || !internalName.test(name)) {
        throw new Refusal('name', names.join(', '));
      }
    },
  },
  public: {
    issuer: 'edge',
    usages: [extendedUsage.server],
    check(names) {
      if (names.length === 0 || names.length > 16)
        throw new Refusal('name', `${names.length} names`);
      for (const name of names) if (!isPublicHost(name)) throw new Refusal('name', name);
    },
  },
};

function isPublicHost(name: string): boolean {
  if (isIP(name) !== 0) return !name.includes('%');
  // A name that ends in digits would be read as an IPv4 address by URL parsers.
  if (!hostName.test(name) || /(?:^|\.)[0-9]+$/.test(name)) return false;
  return name !== zone && !name.endsWith(`.${zone}`);
}
