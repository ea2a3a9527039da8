/**
 * The PI/1 profile of the ratchet: header encryption and key-committing message encryption.
 * docs/protocol/ratchet.md §5 and §6
 *
 *     ratchet message = nonce 24 ‖ sealed header 60 ‖ commitment 32 ‖ ciphertext ‖ tag 16
 *     header          = DH public 32 ‖ u32 previous ‖ u32 n ‖ u32 0
 *     sealed header   = XChaCha20-Poly1305(header key, nonce, header, ad "PI/1/DR/HDR")
 *     key 32 ‖ nonce' 12 ‖ commitment 32 = HKDF(salt nonce 24, message key, "PI/1/DR/MK", 76)
 *     ciphertext      = ChaCha20-Poly1305(key, nonce', plaintext, ad ‖ nonce 24 ‖ sealed header 60)
 *
 * The random header nonce salts the message key: should a counter ever repeat (a copied or rolled
 * back store), the pair of key and nonce still does not.
 */
import { utf8Bytes } from '../wire/bytes.ts';
import { chacha, equal, hkdf, hmac, type Random, xchacha } from './primitives.ts';
import type { RatchetHeader, RatchetProfile } from './ratchet-profile.ts';

const rootInfo = utf8Bytes('PI/1/DR/RK');
const messageInfo = utf8Bytes('PI/1/DR/MK');
const headerAd = utf8Bytes('PI/1/DR/HDR');
const one = Uint8Array.of(1);
const two = Uint8Array.of(2);

const nonceBytes = 24;
const headerBytes = 44;
const sealedHeaderBytes = nonceBytes + headerBytes + 16;
const commitmentBytes = 32;

/** Bytes that a ratchet message is longer than its plaintext. */
export const ratchetOverhead = sealedHeaderBytes + commitmentBytes + 16;

function encodeHeader({ dh, previous, n }: RatchetHeader): Uint8Array {
  const out = new Uint8Array(headerBytes);
  out.set(dh);
  const view = new DataView(out.buffer);
  view.setUint32(32, previous);
  view.setUint32(36, n);
  return out;
}

function decodeHeader(bytes: Uint8Array): RatchetHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  if (view.getUint32(40) !== 0) return undefined;
  return { dh: bytes.slice(0, 32), previous: view.getUint32(32), n: view.getUint32(36) };
}

function messageAd(ad: Uint8Array, message: Uint8Array): Uint8Array {
  const out = new Uint8Array(ad.length + sealedHeaderBytes);
  out.set(ad);
  out.set(message.subarray(0, sealedHeaderBytes), ad.length);
  return out;
}

export const pi1: RatchetProfile = {
  root(rootKey, dh) {
    const keys = hkdf(rootKey, dh, rootInfo, 96);
    return { root: keys.slice(0, 32), chain: keys.slice(32, 64), headerKey: keys.slice(64) };
  },
  messageKey: (chain) => hmac(chain, one),
  advance: (chain) => hmac(chain, two),

  openHeader(message, headerKey, dh) {
    if (message.length < ratchetOverhead) return undefined;
    const nonce = message.subarray(0, nonceBytes);
    const opened = xchacha.open(
      headerKey,
      nonce,
      message.subarray(nonceBytes, sealedHeaderBytes),
      headerAd,
    );
    if (opened === undefined || opened.length !== headerBytes) return undefined;
    const header = decodeHeader(opened);
    // Who holds the header key of a chain may not name another ratchet key for it.
    if (header === undefined || (dh !== undefined && !equal(header.dh, dh))) return undefined;
    return header;
  },

  seal(messageKey, headerKey, header, plaintext, ad, random: Random) {
    const out = new Uint8Array(ratchetOverhead + plaintext.length);
    const nonce = random(nonceBytes);
    out.set(nonce);
    out.set(xchacha.seal(headerKey, nonce, encodeHeader(header), headerAd), nonceBytes);
    const keys = hkdf(nonce, messageKey, messageInfo, 76);
    out.set(keys.subarray(44), sealedHeaderBytes);
    out.set(
      chacha.seal(keys.subarray(0, 32), keys.subarray(32, 44), plaintext, messageAd(ad, out)),
      sealedHeaderBytes + commitmentBytes,
    );
    return out;
  },

  open(messageKey, message, ad) {
    if (message.length < ratchetOverhead) return undefined;
    const keys = hkdf(message.subarray(0, nonceBytes), messageKey, messageInfo, 76);
    const bodyAt = sealedHeaderBytes + commitmentBytes;
    // Poly1305 alone lets one ciphertext open under two keys; the commitment does not.
    if (!equal(keys.subarray(44), message.subarray(sealedHeaderBytes, bodyAt))) return undefined;
    return chacha.open(
      keys.subarray(0, 32),
      keys.subarray(32, 44),
      message.subarray(bodyAt),
      messageAd(ad, message),
    );
  },
};
