/**
 * How a certificate is asked of pkid: one JSON line each way over a unix socket of one's own. The
 * socket says who asks; the signature proves possession of the key, so no PKCS#10 is needed.
 * docs/decisions/024-pkid.md
 *
 *     → { spki, signature, kind?, peer? }        base64url; the last two on the probe's socket only
 *     ← { cert, ca, crl, notAfter } | { fault }
 *     signature = ECDSA-SHA256(key, "island/pkid/1" ‖ 0 ‖ name ‖ spki)
 */
import { generateKeyPair, sign } from 'node:crypto';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { concat, utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault, isFaultCode } from '@island/protocol/wire/fault.ts';
import * as s from '@island/protocol/wire/schema.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { engines, type PeerName, services } from './names.ts';

/** Whose socket: a peer's, the public name's, or that of `island verify`. */
export type CertificateName = PeerName | 'public' | 'probe';

export const probeKinds = ['valid', 'expired', 'revoked'] as const;
export type ProbeKind = (typeof probeKinds)[number];

export const certificateRequest = v.strictObject({
  // Room for the keys of other curves, so that they are refused by name.
  spki: s.text64UpTo(160),
  signature: s.text64UpTo(144),
  kind: v.exactOptional(v.picklist(probeKinds)),
  /** Whose name an expired probe bears. */
  peer: v.exactOptional(v.picklist([...services, ...engines])),
});

const pemText = v.pipe(v.string(), v.startsWith('-----BEGIN '));
const certificateAnswer = v.union([
  v.strictObject({ cert: pemText, ca: pemText, crl: v.array(pemText), notAfter: v.number() }),
  v.strictObject({ fault: v.string() }),
]);

/** The longest line either side reads, bytes. Lists of revoked certificates make answers long. */
export const requestBytes = 1024;
const answerBytes = 4_194_304;
const answerTimeout = 5000;

/** A key that exists in this process only, and what proves who holds it. */
export interface Credentials {
  /** PKCS#8, PEM. */
  key: string;
  /** The leaf and the CA that signed it, PEM. */
  cert: string;
  /** Roots, PEM. */
  ca: string;
  /** Revocation lists, one PEM each: of several lists in one PEM, Node reads only the first. */
  crl: string[];
  /** Unix ms. */
  notAfter: number;
}

/** The bytes that the signature of a request covers. */
export const possessionProof = (name: CertificateName, spki: Uint8Array): Uint8Array =>
  concat(utf8Bytes('island/pkid/1\0'), utf8Bytes(name), spki);

const generate = promisify(generateKeyPair);

/**
 * Makes a fresh P-256 key and has it certified. Throws a Fault: `unavailable` when pkid does not
 * answer, else the code that pkid answered.
 */
export async function requestCertificate(o: {
  name: CertificateName;
  socket: string;
  kind?: ProbeKind;
  peer?: PeerName;
}): Promise<Credentials> {
  const { publicKey, privateKey } = await generate('ec', { namedCurve: 'prime256v1' });
  const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
  const signature = sign('sha256', possessionProof(o.name, spki), privateKey);
  const request: v.InferInput<typeof certificateRequest> = {
    spki: base64url(spki),
    signature: base64url(new Uint8Array(signature)),
    ...(o.kind === undefined ? {} : { kind: o.kind }),
    ...(o.peer === undefined ? {} : { peer: o.peer }),
  };
  const answer = readAnswer(await exchange(o.socket, `${JSON.stringify(request)}\n`));
  return { key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), ...answer };
}

function readAnswer(line: string): Omit<Credentials, 'key'> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new Fault('unavailable', undefined, { cause });
  }
  const answer = s.decode(certificateAnswer, value);
  if (!('fault' in answer)) return answer;
  throw new Fault(isFaultCode(answer.fault) ? answer.fault : 'internal');
}

/** Writes one line and reads until the other side ends. */
function exchange(path: string, line: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (cause?: Error): void => reject(new Fault('unavailable', undefined, { cause }));
  const chunks: Buffer[] = [];
  let size = 0;
  const socket = connect({ path, allowHalfOpen: true });
  socket.setTimeout(answerTimeout, () => socket.destroy(new Error('pkid did not answer in time')));
  socket.on('data', (chunk) => {
    size += chunk.length;
    if (size > answerBytes) socket.destroy(new Error('the answer of pkid is too long'));
    else chunks.push(chunk);
  });
  socket.once('end', () => {
    socket.end();
    resolve(Buffer.concat(chunks).toString('utf8'));
  });
  socket.once('error', fail);
  socket.once('close', () => fail());
  socket.write(line);
  return promise;
}
