/**
 * Certificate revocation lists v2 (RFC 5280 §5.1): one a CA. Node refuses every peer of a CA whose
 * CRL it lacks or whose CRL is past nextUpdate, so a list belongs to the trust bundle and is signed often.
 */
import { type Authority, authorityName } from './ca.ts';
import {
  authorityKeyId,
  distinguishedName,
  extension,
  signatureAlgorithm,
  signed,
} from './certificate.ts';
import * as der from './der.ts';
import { pem } from './pem.ts';

export interface Revoked {
  /** Lower-case hex, as `Leaf.serial` is. */
  serial: string;
  /** Unix ms. */
  at: number;
}

export interface CrlFields {
  /** Rises with every list of the CA; the time of signing in ms serves. */
  number: number;
  /** Unix ms. */
  now: number;
  nextUpdate: number;
  revoked: readonly Revoked[];
}

const crlNumber = '2.5.29.20';

/** @returns PEM, one list; Node wants an array of these, since of two lists in one PEM it reads only the first. */
export function signCrl(authority: Authority, fields: CrlFields): string {
  const entries = fields.revoked.map(({ serial, at }) =>
    der.sequence(der.bigInteger(Buffer.from(serial, 'hex')), der.time(at)),
  );
  const tbs = der.sequence(
    der.integer(1),
    signatureAlgorithm(),
    distinguishedName(authorityName(authority.role, authority.key)),
    der.time(fields.now),
    der.time(fields.nextUpdate),
    entries.length === 0 ? undefined : der.sequence(...entries),
    der.tagged(
      0,
      der.sequence(
        authorityKeyId(authority.key),
        extension(crlNumber, false, der.bigInteger(bigEndian(fields.number))),
      ),
    ),
  );
  return pem('X509 CRL', signed(tbs, authority.key));
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
