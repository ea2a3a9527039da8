/**
 * The outermost layer of a direct message: only the recipient device learns who sent it (M2).
 * docs/protocol/dm.md §5
 *
 *     envelope  = u8 1 ‖ u8 0x30 ‖ E 32 ‖ var16 sealed
 *     key ‖ nonce = HKDF( salt = "PI/1/SS" ‖ DIK_R ‖ E, DH(E, DIK_R), "PI/1/SS", 32 + 12 )
 *     sealed    = ChaCha20-Poly1305( key, nonce, content, AD = u8 1 ‖ u8 0x30 ‖ E )
 *     content   = u8 1 ‖ u8 0x31 ‖ certificate 348 ‖ u8 type ‖ var16 message
 *
 * E is fresh for every envelope, so the key is used once. The sender that the certificate
 * (sender-certificate.ts) names is a claim until the ratchet has opened the message under exactly this
 * account, device and DIK (dm.md §6). A certificate has one length, so that an envelope's size does not
 * tell one sender from another.
 */
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';
import { CryptoFault } from './crypto-fault.ts';
import { chacha, type DhPair, hkdf, type Random, randomBytes, x25519 } from './primitives.ts';
import { dhKey } from './public-key.ts';
import { certificateBytes } from './sender-certificate.ts';

/** What `message` is. */
export const contentTypes = {
  /** A ratchet message, with or without handshake fields. */
  ratchet: 0x01,
  /** The same, on behalf of a repair: that it can't be opened is no reason for another. ratchet.md §9.5 */
  repair: 0x02,
  /** Random bytes: it is there so that a request has an envelope for every device. */
  cover: 0x03,
} as const;
export type ContentType = (typeof contentTypes)[keyof typeof contentTypes];
const knownTypes: ReadonlySet<number> = new Set(Object.values(contentTypes));
const isKnownType = (type: number): type is ContentType => knownTypes.has(type);

export interface Content {
  /** Chain of the sender's certificate, `certificateBytes`; not checked here. */
  certificate: Uint8Array;
  type: ContentType;
  message: Uint8Array;
}

const version = 1;
const envelopeType = 0x30;
const contentType = 0x31;
const label = utf8Bytes('PI/1/SS');
const headBytes = 34;
const tagBytes = 16;

/** Content bytes around the message. */
const contentOverhead = 5 + certificateBytes;

/** The longest message that fits into an envelope, bytes. */
export const longestMessage = limits.envelopeBytes - headBytes - 2 - tagBytes - contentOverhead;

function encodeContent({ certificate, type, message }: Content): Uint8Array {
  if (certificate.length !== certificateBytes) throw new Fault('malformed');
  const out = new Writer(message.length + contentOverhead).u8(version).u8(contentType);
  return out.raw(certificate).u8(type).var16(message).done();
}

function decodeContent(bytes: Uint8Array): Content {
  const from = new Reader(bytes).header(version, contentType);
  const certificate = from.raw(certificateBytes);
  const type = from.u8();
  if (!isKnownType(type)) throw new Fault('unknown_type');
  const message = from.var16(longestMessage);
  from.end();
  return { certificate, type, message };
}

function envelopeKeys(secret: Uint8Array, recipient: Uint8Array, ephemeral: Uint8Array) {
  const both = hkdf(concat(label, recipient, ephemeral), secret, label, 44);
  return { key: both.subarray(0, 32), nonce: both.subarray(32) };
}

const envelopeHead = (ephemeral: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(version, envelopeType), ephemeral);

/** At most `limits.envelopeBytes`. `recipientDik`: from the recipient's opened list. Throws `too_large` for a message above `longestMessage`. */
export function seal(
  recipientDik: Uint8Array,
  content: Content,
  random: Random = randomBytes,
): Uint8Array {
  if (content.message.length > longestMessage) throw new Fault('too_large');
  const ephemeral = x25519.fromPrivate(random(32));
  const secret = x25519.dh(ephemeral, dhKey(recipientDik));
  const { key, nonce } = envelopeKeys(secret, recipientDik, ephemeral.public);
  const head = envelopeHead(ephemeral.public);
  const sealed = chacha.seal(key, nonce, encodeContent(content), head);
  return new Writer(headBytes + 2 + sealed.length).raw(head).var16(sealed).done();
}

/**
 * Throws `CryptoFault` `unsealable` if the envelope was not sealed for this device or was altered; faults of
 * form (`truncated`, `too_large`, …) for one that no sender of this protocol makes.
 */
export function open(dik: DhPair, bytes: Uint8Array): Content {
  if (bytes.length > limits.envelopeBytes) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, envelopeType);
  const ephemeral = dhKey(from.raw(32));
  const sealed = from.var16();
  from.end();
  const secret = x25519.dh(dik, ephemeral);
  const { key, nonce } = envelopeKeys(secret, dik.public, ephemeral);
  const content = chacha.open(key, nonce, sealed, envelopeHead(ephemeral));
  if (content === undefined) throw new CryptoFault('unsealable');
  return decodeContent(content);
}
