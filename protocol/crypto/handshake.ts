/**
 * PQXDH: two devices agree on a session's first keys. docs/protocol/ratchet.md §3 and §4
 *
 *     party = account 16 ‖ u32 device ‖ AIK 32 ‖ DSK 32 ‖ DIK 32
 *     T     = SHA-256("PI/1/handshake" 0 ‖ u8 flags ‖ u32 generation ‖ replaces 16 ‖ initiator party
 *             ‖ responder party ‖ u32 id ‖ SPK 32 ‖ u32 id ‖ OPK 32 or zeros ‖ u32 id
 *             ‖ SHA-256(PQ public key) ‖ PQ ciphertext ‖ EK 32)
 *     IKM   = FF×32 ‖ DH(DIK_A, SPK_B) ‖ DH(EK_A, DIK_B) ‖ DH(EK_A, SPK_B) [‖ DH(EK_A, OPK_B)] ‖ SS
 *     root 32 ‖ header key A→B 32 ‖ next header key B→A 32 = HKDF(0×32, IKM, "PI/1/PQXDH" ‖ T, 96)
 *     session id = first 16 bytes of SHA-256("PI/1/session" 0 ‖ T)
 *     binding    = SHA-256("PI/1/DR" ‖ session id ‖ u32 generation ‖ initiator party ‖ responder party)
 *
 * T binds both identities (unknown key share), the very prekeys (swapped or mixed up) and the KEM key
 * with its ciphertext (re-encapsulation). `binding` begins the associated data of every message.
 */
import { concat, utf8Bytes, Writer } from '../wire/bytes.ts';
import type { AccountId, DeviceId } from '../wire/ids.ts';
import { fromHex } from '../wire/text.ts';
import { CryptoFault } from './crypto-fault.ts';
import { encodeFields, type HandshakeFields } from './handshake-fields.ts';
import {
  type DhPair,
  hkdf,
  type KemPair,
  mlkem768,
  type Random,
  sha256,
  x25519,
} from './primitives.ts';
import type { RatchetState } from './ratchet.ts';

/** A device as the other side knows it, from a device list that it has verified. */
export interface Party {
  readonly account: AccountId;
  readonly device: DeviceId;
  /** Account identity key, Ed25519. */
  readonly aik: Uint8Array;
  /** Device signing key, Ed25519. */
  readonly dsk: Uint8Array;
  /** Device identity key, X25519. */
  readonly dik: Uint8Array;
}

export interface OwnParty extends Omit<Party, 'dik'> {
  readonly dik: DhPair;
}

/** The peer's public prekeys; their signatures have been verified. */
export interface PeerPrekeys {
  readonly signed: { readonly id: number; readonly public: Uint8Array };
  readonly pq: {
    readonly id: number;
    readonly kind: 'last-resort' | 'one-time';
    readonly public: Uint8Array;
  };
  readonly oneTime?: { readonly id: number; readonly public: Uint8Array } | undefined;
}

/** Our private prekeys by id; `undefined` for one that was used, has expired or never was. */
export interface PrekeyLookup {
  signed(id: number): DhPair | undefined;
  oneTime(id: number): DhPair | undefined;
  pq(kind: 'last-resort' | 'one-time', id: number): KemPair | undefined;
  /** Whether this record is among those committed (see `UsedPrekeys.seen`). */
  seen(record: SeenHandshake): boolean;
}

/** Identifies a handshake for as long as its prekeys live: a second one is a replay. */
export interface SeenHandshake {
  readonly signedId: number;
  readonly pqId: number;
  readonly ek: Uint8Array;
}

/** What must be committed together with the session and the message that it opened. */
export interface UsedPrekeys {
  /** Delete this one-time X25519 prekey. */
  readonly oneTime: number | undefined;
  /** Delete this one-time ML-KEM prekey. */
  readonly pqOneTime: number | undefined;
  /** Keep until the signed or the PQ prekey has been given up, and answer it in `PrekeyLookup.seen`. */
  readonly seen: SeenHandshake;
}

/** A protocol has one suite. The tests add one without the PQ part. */
export interface HandshakeSuite {
  readonly label: string;
  readonly pq: boolean;
}

export const pqxdh: HandshakeSuite = { label: 'PI/1/PQXDH', pq: true };

export interface Agreed {
  readonly id: Uint8Array;
  readonly binding: Uint8Array;
  readonly ratchet: RatchetState;
}

const noBytes = new Uint8Array(0);
const zeros = new Uint8Array(32);
const ones = new Uint8Array(32).fill(0xff);
const handshakeLabel = utf8Bytes('PI/1/handshake\0');
const sessionLabel = utf8Bytes('PI/1/session\0');
const bindingLabel = utf8Bytes('PI/1/DR');

function writeParty(out: Writer, party: Party): void {
  out.raw(fromHex(party.account)).u32(party.device).raw(party.aik).raw(party.dsk).raw(party.dik);
}

const publicParty = (own: OwnParty): Party => ({ ...own, dik: own.dik.public });

interface PublicPrekeys {
  readonly signed: Uint8Array;
  readonly oneTime: Uint8Array | undefined;
  readonly pq: Uint8Array | undefined;
}

function transcript(
  fields: HandshakeFields,
  initiator: Party,
  responder: Party,
  keys: PublicPrekeys,
) {
  const parties = new Writer(232);
  writeParty(parties, initiator);
  writeParty(parties, responder);
  const both = parties.done();
  const out = new Writer(1600)
    .raw(handshakeLabel)
    .raw(encodeFields(fields).subarray(0, 21))
    .raw(both);
  out
    .u32(fields.signedId)
    .raw(keys.signed)
    .u32(fields.oneTimeId)
    .raw(keys.oneTime ?? zeros);
  out
    .u32(fields.pqId)
    .raw(keys.pq ? sha256(keys.pq) : zeros)
    .raw(fields.ciphertext)
    .raw(fields.ek);
  const t = sha256(out.done());
  const id = sha256(concat(sessionLabel, t)).slice(0, 16);
  const bound = new Writer(280).raw(bindingLabel).raw(id).u32(fields.generation).raw(both).done();
  return { t, id, binding: sha256(bound) };
}

function firstKeys(suite: HandshakeSuite, secrets: readonly Uint8Array[], t: Uint8Array) {
  const info = concat(utf8Bytes(suite.label), t);
  const keys = hkdf(zeros, concat(ones, ...secrets), info, 96);
  return { root: keys.slice(0, 32), toResponder: keys.slice(32, 64), toInitiator: keys.slice(64) };
}

const nothingYet = {
  sending: undefined,
  receiving: undefined,
  older: [],
  previous: 0,
  epoch: 0,
} as const;

/**
 * Starts a session with `peer`. `generation` is our device's (it grows when the device is restored
 * from a backup); `replaces` the session given up for this one. The fields ride in every message
 * until the peer answers.
 */
export function initiate(
  ours: OwnParty,
  peer: Party,
  prekeys: PeerPrekeys,
  options: {
    generation: number;
    replaces?: Uint8Array | undefined;
    random?: Random | undefined;
    suite?: HandshakeSuite;
  },
): Agreed & { fields: Uint8Array } {
  const { random, suite = pqxdh } = options;
  const ek = x25519.generate(random);
  const kem = suite.pq ? mlkem768.encapsulate(prekeys.pq.public, random) : undefined;
  const fields: HandshakeFields = {
    oneTimeUsed: prekeys.oneTime !== undefined,
    pqKind: suite.pq ? prekeys.pq.kind : 'last-resort',
    pq: suite.pq,
    generation: options.generation,
    replaces: options.replaces ?? zeros.subarray(0, 16),
    signedId: prekeys.signed.id,
    pqId: suite.pq ? prekeys.pq.id : 0,
    oneTimeId: prekeys.oneTime?.id ?? 0,
    ek: ek.public,
    ciphertext: kem?.ciphertext ?? noBytes,
  };
  const { t, id, binding } = transcript(fields, publicParty(ours), peer, {
    signed: prekeys.signed.public,
    oneTime: prekeys.oneTime?.public,
    pq: suite.pq ? prekeys.pq.public : undefined,
  });
  const secrets = [
    x25519.dh(ours.dik, prekeys.signed.public),
    x25519.dh(ek, peer.dik),
    x25519.dh(ek, prekeys.signed.public),
  ];
  if (prekeys.oneTime) secrets.push(x25519.dh(ek, prekeys.oneTime.public));
  if (kem) secrets.push(kem.secret);
  const keys = firstKeys(suite, secrets, t);
  return {
    id,
    binding,
    fields: encodeFields(fields),
    ratchet: {
      ...nothingYet,
      root: keys.root,
      peer: prekeys.signed.public,
      opening: undefined,
      nextSendKey: keys.toResponder,
      nextReceiveKey: keys.toInitiator,
    },
  };
}

/**
 * The other side of `initiate`. Throws `pq_required`, `replayed`, `prekey_gone`; `not_canonical` for
 * a point that PI/1 refuses. Whether the initiator is who it seems shows when its message opens.
 */
export function respond(
  ours: OwnParty,
  peer: Party,
  fields: HandshakeFields,
  lookup: PrekeyLookup,
  suite: HandshakeSuite = pqxdh,
): Agreed & { used: UsedPrekeys } {
  if (fields.pq !== suite.pq) throw new CryptoFault('pq_required');
  const seen = { signedId: fields.signedId, pqId: fields.pqId, ek: new Uint8Array(fields.ek) };
  if (lookup.seen(seen)) throw new CryptoFault('replayed');
  const signed = lookup.signed(fields.signedId);
  const oneTime = fields.oneTimeUsed ? lookup.oneTime(fields.oneTimeId) : undefined;
  const pq = suite.pq ? lookup.pq(fields.pqKind, fields.pqId) : undefined;
  if (
    signed === undefined ||
    (fields.oneTimeUsed && oneTime === undefined) ||
    (suite.pq && pq === undefined)
  ) {
    throw new CryptoFault('prekey_gone');
  }
  const { t, id, binding } = transcript(fields, peer, publicParty(ours), {
    signed: signed.public,
    oneTime: oneTime?.public,
    pq: pq?.public,
  });
  const secrets = [
    x25519.dh(signed, peer.dik),
    x25519.dh(ours.dik, fields.ek),
    x25519.dh(signed, fields.ek),
  ];
  if (oneTime) secrets.push(x25519.dh(oneTime, fields.ek));
  if (pq) secrets.push(mlkem768.decapsulate(pq, fields.ciphertext));
  const keys = firstKeys(suite, secrets, t);
  return {
    id,
    binding,
    used: {
      oneTime: fields.oneTimeUsed ? fields.oneTimeId : undefined,
      pqOneTime: suite.pq && fields.pqKind === 'one-time' ? fields.pqId : undefined,
      seen,
    },
    ratchet: {
      ...nothingYet,
      root: keys.root,
      peer: undefined,
      opening: signed,
      nextSendKey: keys.toInitiator,
      nextReceiveKey: keys.toResponder,
    },
  };
}
