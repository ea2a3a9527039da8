/** One request line, decoded and its proof checked. Nothing here changes any state. docs/decisions/024-pkid.md */
import { type KeyObject, verify } from 'node:crypto';
import { readSpki } from '@island/pki/key.ts';
import { Refusal } from '@island/pki/refusal.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { decode, type Infer } from '@island/protocol/wire/schema.ts';
import {
  type CertificateName,
  certificateRequest,
  possessionProof,
  requestBytes,
} from '../kit/certificate-request.ts';

export type CertificateRequest = Infer<typeof certificateRequest>;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * @param bytes everything the client sent up to its newline or its end
 * Throws `too_large`, `truncated` (no newline), `trailing_bytes` (more after it) or `malformed`.
 */
export function decodeRequest(bytes: Uint8Array): CertificateRequest {
  if (bytes.length > requestBytes) throw new Fault('too_large');
  const end = bytes.indexOf(0x0a);
  if (end < 0) throw new Fault('truncated');
  if (end !== bytes.length - 1) throw new Fault('trailing_bytes');
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes.subarray(0, end)));
  } catch (cause) {
    throw new Fault('malformed', undefined, { cause });
  }
  return decode(certificateRequest, value);
}

/**
 * The key, once its holder has proved to be the one who asks, under the name of this socket.
 * Throws `not_canonical` for anything but a P-256 key in its one encoding, `bad_signature`.
 */
export function checkPossession(name: CertificateName, request: CertificateRequest): KeyObject {
  const key = readKey(request.spki);
  const proof = possessionProof(name, request.spki);
  if (!verify('sha256', proof, key, request.signature)) throw new Fault('bad_signature');
  return key;
}

function readKey(spki: Uint8Array): KeyObject {
  try {
    return readSpki(spki);
  } catch (cause) {
    if (cause instanceof Refusal) throw new Fault('not_canonical', undefined, { cause });
    throw cause;
  }
}
