/**
 * X.509 v3 certificates (RFC 5280 §4.1), encoded here and signed by node:crypto.
 *
 *     Certificate ::= SEQUENCE { tbs, ecdsa-with-SHA256, BIT STRING signature }
 *     tbs         ::= SEQUENCE { [0] v3, serial, ecdsa-with-SHA256, issuer, validity, subject, SPKI, [3] extensions }
 */
import { type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import * as der from './der.ts';
import { keyId, spkiOf } from './key.ts';
import type { CaPolicy } from './policy.ts';

export interface CertificateFields {
  subject: string;
  issuer: string;
  /** The key that signs: the issuer's. */
  issuerKey: KeyObject;
  publicKey: KeyObject;
  serial: Uint8Array;
  /** Unix ms. */
  notBefore: number;
  notAfter: number;
  /** Object identifiers of the extended key usages; none: no such extension. */
  usages: readonly string[];
  /** DNS names and IP addresses of a leaf. */
  names: readonly string[];
  /** Present in a CA's certificate. */
  ca?: CaPolicy;
}

const ids = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;

/** AlgorithmIdentifier of every signature here: ecdsa-with-SHA256, without parameters. */
export const signatureAlgorithm = (): der.Der => der.sequence(der.objectId(ids.ecdsaWithSha256));

/** 20 octets, the most RFC 5280 allows; top bit clear (positive), next bit set (never shorter, never zero). */
export function newSerial(): Buffer {
  const serial = randomBytes(20);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

export const distinguishedName = (commonName: string): der.Der =>
  der.sequence(der.set(der.sequence(der.objectId(ids.commonName), der.utf8(commonName))));

export const extension = (id: string, critical: boolean, value: der.Der): der.Der =>
  der.sequence(der.objectId(id), critical ? der.truth() : undefined, der.octets(der.encode(value)));

/** Signs any `SEQUENCE { tbs, algorithm, signature }`: a certificate or a CRL. */
export function signed(tbs: der.Der, key: KeyObject): Buffer {
  const signature = sign('sha256', der.encode(tbs), key);
  return der.encode(der.sequence(tbs, signatureAlgorithm(), der.bits(signature)));
}

/** AuthorityKeyIdentifier: the issuer's own identifier, where forge would put the subject's. */
export const authorityKeyId = (issuerKey: KeyObject): der.Der =>
  extension(ids.authorityKeyId, false, der.sequence(der.implicit(0, keyId(issuerKey))));

/** @returns DER */
export function encodeCertificate(fields: CertificateFields): Buffer {
  const tbs = der.sequence(
    der.tagged(0, der.integer(2)),
    der.bigInteger(fields.serial),
    signatureAlgorithm(),
    distinguishedName(fields.issuer),
    der.sequence(der.time(fields.notBefore), der.time(fields.notAfter)),
    distinguishedName(fields.subject),
    der.decode(spkiOf(fields.publicKey)),
    der.tagged(3, der.sequence(...extensions(fields))),
  );
  return signed(tbs, fields.issuerKey);
}

function extensions(fields: CertificateFields): (der.Der | undefined)[] {
  const { ca, usages, names } = fields;
  return [
    extension(ids.basicConstraints, true, basicConstraints(ca)),
    // KeyUsage bits: 0 digitalSignature; 5 keyCertSign, 6 cRLSign.
    extension(ids.keyUsage, true, ca ? der.bits(Buffer.of(0x06), 1) : der.bits(Buffer.of(0x80), 7)),
    usages.length === 0
      ? undefined
      : extension(ids.extendedKeyUsage, false, der.sequence(...usages.map(der.objectId))),
    extension(ids.subjectKeyId, false, der.octets(keyId(fields.publicKey))),
    authorityKeyId(fields.issuerKey),
    names.length === 0
      ? undefined
      : extension(ids.subjectAltName, false, der.sequence(...names.map(generalName))),
    ca === undefined ? undefined : nameConstraints(ca),
  ];
}

/** cA is DEFAULT FALSE, so a leaf's is the empty sequence. */
const basicConstraints = (ca: CaPolicy | undefined): der.Der =>
  ca === undefined ? der.sequence() : der.sequence(der.truth(), der.integer(ca.pathLength));

const dns = (name: string): der.Der => der.implicit(2, Buffer.from(name, 'ascii'));
const ip = (bytes: Uint8Array): der.Der => der.implicit(7, bytes);

const generalName = (name: string): der.Der => (isIP(name) === 0 ? dns(name) : ip(ipBytes(name)));

/** NameConstraints: [0] permitted, [1] excluded; a GeneralSubtree is `SEQUENCE { base }`. */
function nameConstraints(policy: CaPolicy): der.Der | undefined {
  const permitted = policy.permittedDns.map(dns);
  const excluded = policy.excludedDns.map(dns);
  // Address and mask, all zero: every IPv4 and every IPv6 address.
  if (policy.excludeIps) excluded.push(ip(Buffer.alloc(8)), ip(Buffer.alloc(32)));
  if (permitted.length + excluded.length === 0) return undefined;
  const subtrees = (tag: number, names: der.Der[]): der.Der | undefined =>
    names.length === 0 ? undefined : der.tagged(tag, ...names.map((name) => der.sequence(name)));
  return extension(
    ids.nameConstraints,
    true,
    der.sequence(subtrees(0, permitted), subtrees(1, excluded)),
  );
}

/** Network order: 4 or 16 bytes. */
function ipBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, embedded).split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const zeros = new Array<string>(8 - front.length - back.length).fill('0');
  const out = Buffer.alloc(16);
  [...front, ...zeros, ...back].forEach((group, index) => {
    out.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  });
  return out;
}

/** The dotted tail of an IPv6 address as two groups. */
const embedded = (_: string, a: string, b: string, c: string, d: string): string =>
  `${((Number(a) << 8) | Number(b)).toString(16)}:${((Number(c) << 8) | Number(d)).toString(16)}`;
