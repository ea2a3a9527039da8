/**
 * DER by node-forge, which is an encoder here and nothing else: trust is decided by node:crypto and
 * OpenSSL, never by forge. docs/decisions/020-forge-encodes-only.md
 */
import asn1 from 'node-forge/lib/asn1.js';

export type Der = ReturnType<typeof asn1.create>;

const universal = asn1.Class.UNIVERSAL;
const context = asn1.Class.CONTEXT_SPECIFIC;
const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

const constructed = (type: number, children: readonly (Der | undefined)[]): Der =>
  asn1.create(
    universal,
    type,
    true,
    children.filter((child) => child !== undefined),
  );
const primitive = (type: number, bytes: string): Der => asn1.create(universal, type, false, bytes);

/** Children that are `undefined` are left out: OPTIONAL and DEFAULT fields. */
export const sequence = (...children: (Der | undefined)[]): Der =>
  constructed(asn1.Type.SEQUENCE, children);
export const set = (...children: Der[]): Der => constructed(asn1.Type.SET, children);
export const objectId = (dotted: string): Der =>
  primitive(asn1.Type.OID, asn1.oidToDer(dotted).getBytes());
export const truth = (): Der => primitive(asn1.Type.BOOLEAN, '\xff');
/** Text as UTF8String: forge's default, PrintableString, does not check its alphabet. */
export const utf8 = (text: string): Der => primitive(asn1.Type.UTF8, binary(Buffer.from(text)));
export const octets = (content: Uint8Array): Der =>
  primitive(asn1.Type.OCTETSTRING, binary(content));
/** A BIT STRING; `unused` low bits of the last byte do not count. */
export const bits = (content: Uint8Array, unused = 0): Der =>
  primitive(asn1.Type.BITSTRING, String.fromCharCode(unused) + binary(content));
/** A small non-negative INTEGER. */
export const integer = (value: number): Der =>
  primitive(asn1.Type.INTEGER, asn1.integerToDer(value).getBytes());
/** A positive INTEGER from its big-endian bytes. */
export function bigInteger(bytes: Uint8Array): Der {
  const from = bytes.findIndex((byte) => byte !== 0);
  if (from < 0) throw new RangeError('bigInteger: zero');
  const digits = binary(bytes.subarray(from));
  return primitive(asn1.Type.INTEGER, digits.charCodeAt(0) > 0x7f ? `\0${digits}` : digits);
}

/** `Time` of RFC 5280 §4.1.2.5: UTCTime up to 2049, GeneralizedTime from 2050. Whole seconds. */
export function time(ms: number): Der {
  const date = new Date(Math.floor(ms / 1000) * 1000);
  return date.getUTCFullYear() < 2050
    ? primitive(asn1.Type.UTCTIME, asn1.dateToUtcTime(date))
    : primitive(asn1.Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date));
}

/** `[tag] IMPLICIT` around raw content. */
export const implicit = (tag: number, content: Uint8Array): Der =>
  asn1.create(context, tag, false, binary(content));
/** `[tag]` around whole values: EXPLICIT around one, or an IMPLICIT SEQUENCE OF. */
export const tagged = (tag: number, ...children: Der[]): Der =>
  asn1.create(context, tag, true, children);

export const encode = (value: Der): Buffer => Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
/** Bytes that are DER already (an SPKI, a signed part) as a value, to be put inside another. */
export const decode = (bytes: Uint8Array): Der => asn1.fromDer(binary(bytes));
