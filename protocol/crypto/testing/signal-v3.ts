/**
 * The ratchet of protocol/crypto in the clothes of Signal's protocol version 3 (X3DH, headers in the
 * clear, AES-CBC with a truncated HMAC), for tests only: the same `ratchet.ts` then talks to
 * independent implementations. Never used for PI/1.
 *
 *     message       = 0x33 ‖ protobuf { 1 ratchet key, 2 counter, 3 previous counter, 4 ciphertext } ‖ MAC 8
 *     first message = 0x33 ‖ protobuf { 1 one-time id, 2 base key, 3 identity key, 4 message,
 *                     5 registration id, 6 signed prekey id }
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concat, Reader, Writer } from '../../wire/bytes.ts';
import { type DhPair, equal, hkdf, hmac, randomBytes, x25519 } from '../primitives.ts';
import { type RatchetState, ratchetDecrypt, ratchetEncrypt } from '../ratchet.ts';
import type { RatchetHeader, RatchetProfile } from '../ratchet-profile.ts';
import { readRatchet, writeRatchet } from '../ratchet-state.ts';

const zeros = new Uint8Array(32);
const version = 0x33;
const macBytes = 8;

/** Curve25519 keys carry a type byte on Signal's wire. */
export const typed = (key: Uint8Array): Uint8Array => concat(Uint8Array.of(5), key);
const untyped = (key: Uint8Array): Uint8Array => {
  if (key.length !== 33 || key[0] !== 5) throw new Error('not a Curve25519 key');
  return new Uint8Array(key.subarray(1));
};

type Field = readonly [number: number, value: number | Uint8Array | undefined];

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Uint8Array.of(...bytes, rest);
}

function encodeProto(fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [number, value] of fields) {
    if (value === undefined) continue;
    if (typeof value === 'number') parts.push(varint(number << 3), varint(value));
    else parts.push(varint((number << 3) | 2), varint(value.length), value);
  }
  return concat(...parts);
}

function decodeProto(bytes: Uint8Array): {
  number(field: number): number;
  bytes(field: number): Uint8Array;
} {
  const numbers = new Map<number, number>();
  const values = new Map<number, Uint8Array>();
  const from = new Reader(bytes);
  const readVarint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = from.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (from.left > 0) {
    const tag = readVarint();
    if ((tag & 7) === 0) numbers.set(tag >> 3, readVarint());
    else if ((tag & 7) === 2) values.set(tag >> 3, from.raw(readVarint()));
    else throw new Error('unexpected protobuf wire type');
  }
  return {
    number: (field) => numbers.get(field) ?? 0,
    bytes: (field) => values.get(field) ?? new Uint8Array(0),
  };
}

const body = (message: Uint8Array) => decodeProto(message.subarray(1, message.length - macBytes));

function messageKeys(seed: Uint8Array) {
  const keys = hkdf(zeros, seed, 'WhisperMessageKeys', 80);
  return { cipher: keys.subarray(0, 32), mac: keys.subarray(32, 64), iv: keys.subarray(64) };
}

/** The associated data is sender identity ‖ receiver identity, both typed. */
export const signalV3: RatchetProfile = {
  root(rootKey, dh) {
    const keys = hkdf(rootKey, dh, 'WhisperRatchet', 64);
    return { root: keys.slice(0, 32), chain: keys.slice(32), headerKey: zeros };
  },
  messageKey: (chain) => hmac(chain, Uint8Array.of(1)),
  advance: (chain) => hmac(chain, Uint8Array.of(2)),
  openHeader(message, _headerKey, dh): RatchetHeader | undefined {
    if (message[0] !== version || message.length < 1 + macBytes) return undefined;
    const proto = body(message);
    const key = untyped(proto.bytes(1));
    if (dh !== undefined && !equal(dh, key)) return undefined;
    // On this wire it is the number of the last message, not how many there were.
    return { dh: key, previous: proto.number(3) + 1, n: proto.number(2) };
  },
  seal(messageKey, _headerKey, header, plaintext, ad) {
    const keys = messageKeys(messageKey);
    const cipher = createCipheriv('aes-256-cbc', keys.cipher, keys.iv);
    const ciphertext = concat(cipher.update(plaintext), cipher.final());
    const proto = encodeProto([
      [1, typed(header.dh)],
      [2, header.n],
      [3, Math.max(header.previous - 1, 0)],
      [4, ciphertext],
    ]);
    const message = concat(Uint8Array.of(version), proto);
    return concat(message, hmac(keys.mac, concat(ad, message)).subarray(0, macBytes));
  },
  open(messageKey, message, ad) {
    const keys = messageKeys(messageKey);
    const end = message.length - macBytes;
    const mac = hmac(keys.mac, concat(ad, message.subarray(0, end))).subarray(0, macBytes);
    if (!equal(mac, message.subarray(end))) return undefined;
    const decipher = createDecipheriv('aes-256-cbc', keys.cipher, keys.iv);
    return concat(decipher.update(body(message).bytes(4)), decipher.final());
  },
};

export interface V3Bundle {
  readonly identity: Uint8Array;
  readonly registration: number;
  readonly signed: { id: number; public: Uint8Array; signature: Uint8Array };
  readonly oneTime: { id: number; public: Uint8Array } | undefined;
}

export interface V3Message {
  readonly first: boolean;
  readonly bytes: Uint8Array;
}

/** One device that speaks version 3 with one other. */
export interface V3Peer {
  readonly name: string;
  bundle(oneTime: boolean): Promise<V3Bundle>;
  start(bundle: V3Bundle): Promise<void>;
  encrypt(plaintext: Uint8Array): Promise<V3Message>;
  decrypt(message: V3Message): Promise<Uint8Array>;
}

/** Signs a prekey with a Curve25519 identity key (XEdDSA); PI/1 has no such thing, so a peer's library does it. */
export type V3Sign = (identityPrivate: Uint8Array, message: Uint8Array) => Uint8Array;

/** Our ratchet as a version 3 device. The state goes through its stored form after every step. */
export function ourV3Peer(sign: V3Sign): V3Peer & { state(): RatchetState | undefined } {
  const identity = x25519.generate();
  const signed = x25519.generate();
  const oneTimes = new Map<number, DhPair>();
  let state: RatchetState | undefined;
  let theirs: Uint8Array = zeros;
  let base: Uint8Array = zeros;
  /** What wraps our messages until the peer answers. */
  let wrap: readonly Field[] | undefined;

  const agree = (secrets: readonly Uint8Array[]) =>
    hkdf(zeros, concat(new Uint8Array(32).fill(0xff), ...secrets), 'WhisperText', 64).slice(0, 32);

  const fresh = (
    root: Uint8Array,
    peer: Uint8Array | undefined,
    opening: DhPair | undefined,
  ): RatchetState => ({
    root,
    peer,
    opening,
    sending: undefined,
    receiving: undefined,
    older: [],
    nextSendKey: zeros,
    nextReceiveKey: zeros,
    previous: 0,
    epoch: 0,
  });

  function keep(next: RatchetState): void {
    const out = new Writer();
    writeRatchet(out, next, 0);
    state = readRatchet(new Reader(out.done()), signalV3);
  }

  function respond(proto: ReturnType<typeof decodeProto>): RatchetState {
    theirs = untyped(proto.bytes(3));
    base = untyped(proto.bytes(2));
    const oneTime = oneTimes.get(proto.number(1));
    const secrets = [x25519.dh(signed, theirs), x25519.dh(identity, base), x25519.dh(signed, base)];
    if (oneTime) secrets.push(x25519.dh(oneTime, base));
    return fresh(agree(secrets), undefined, signed);
  }

  return {
    name: 'ours',
    state: () => state,
    async bundle(oneTime) {
      const pair = x25519.generate();
      if (oneTime) oneTimes.set(7, pair);
      const signature = sign(identity.private, typed(signed.public));
      return {
        identity: typed(identity.public),
        registration: 11,
        signed: { id: 3, public: typed(signed.public), signature },
        oneTime: oneTime ? { id: 7, public: typed(pair.public) } : undefined,
      };
    },
    async start(bundle) {
      theirs = untyped(bundle.identity);
      const spk = untyped(bundle.signed.public);
      const pair = x25519.generate();
      const secrets = [x25519.dh(identity, spk), x25519.dh(pair, theirs), x25519.dh(pair, spk)];
      if (bundle.oneTime) secrets.push(x25519.dh(pair, untyped(bundle.oneTime.public)));
      state = fresh(agree(secrets), spk, undefined);
      wrap = [
        [1, bundle.oneTime?.id],
        [2, typed(pair.public)],
        [3, typed(identity.public)],
        [5, 11],
        [6, bundle.signed.id],
      ];
    },
    async encrypt(plaintext) {
      if (state === undefined) throw new Error('no session');
      const ad = concat(typed(identity.public), typed(theirs));
      const made = ratchetEncrypt(signalV3, state, plaintext, ad, randomBytes, () =>
        x25519.generate(),
      );
      keep(made.state);
      if (wrap === undefined) return { first: false, bytes: made.message };
      const proto = encodeProto([...wrap, [4, made.message]]);
      return { first: true, bytes: concat(Uint8Array.of(version), proto) };
    },
    async decrypt({ first, bytes }) {
      let message = bytes;
      let from = state;
      if (first) {
        const proto = decodeProto(bytes.subarray(1));
        message = proto.bytes(4);
        if (from === undefined || !equal(base, untyped(proto.bytes(2)))) from = respond(proto);
      }
      if (from === undefined) throw new Error('no session');
      const ad = concat(typed(theirs), typed(identity.public));
      const opened = ratchetDecrypt(signalV3, from, message, ad, Date.now());
      keep(opened.state);
      wrap = undefined;
      return opened.plaintext;
    },
  };
}
