/**
 * The vectors of handshake and ratchet, read by somebody who has only docs/protocol/ratchet.md: other
 * libraries, no code of `crypto/`.
 */
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import t from 'tap';
import { hex, type Json, join, read, text, u32 } from './testing/stranger.ts';

const zeros = (length: number) => new Uint8Array(length);
const dh = (priv: string, pub: string) => x25519.getSharedSecret(hex(priv), hex(pub));
const party = ({ account, device, aik, dsk, dik }: Json) =>
  join(hex(account), u32(device), hex(aik), hex(dsk), hex(dik.public));

/** §3 and §4, from the responder's private keys and the fields alone. */
function agree(initiator: Json, responder: Json, prekeys: Json, fieldsBytes: Uint8Array) {
  const flags = fieldsBytes[0] ?? 0;
  const [ek, ciphertext] = [fieldsBytes.subarray(33, 65), fieldsBytes.subarray(65)];
  const ekHex = Buffer.from(ek).toString('hex');
  const { signed, pq, oneTime } = prekeys;
  const kem = ml_kem768.keygen(hex(pq.seed));
  const hash = sha256(
    join(
      text('PI/1/handshake\0'),
      fieldsBytes.subarray(0, 21),
      party(initiator),
      party(responder),
      u32(signed.id),
      hex(signed.public),
      u32(oneTime?.id ?? 0),
      oneTime ? hex(oneTime.public) : zeros(32),
      u32(pq.id),
      sha256(kem.publicKey),
      ciphertext,
      ek,
    ),
  );
  const ikm = join(
    zeros(32).fill(0xff),
    dh(signed.private, initiator.dik.public),
    dh(responder.dik.private, ekHex),
    dh(signed.private, ekHex),
    oneTime ? dh(oneTime.private, ekHex) : zeros(0),
    ml_kem768.decapsulate(ciphertext, kem.secretKey),
  );
  const keys = hkdf(sha256, ikm, zeros(32), join(text('PI/1/PQXDH'), hash), 96);
  const id = sha256(join(text('PI/1/session\0'), hash)).subarray(0, 16);
  const generation = fieldsBytes.subarray(1, 5);
  const binding = sha256(join(text('PI/1/DR'), id, generation, party(initiator), party(responder)));
  return {
    flags,
    ek,
    id,
    binding,
    root: keys.subarray(0, 32),
    there: keys.subarray(32, 64),
    back: keys.subarray(64),
  };
}

t.test('I3 ratchet.md §3, §4: the handshake from the responder’s side', async (t) => {
  const { initiator, responder, cases } = await read('handshake');
  for (const one of cases) {
    const made = agree(initiator, responder, one.prekeys, hex(one.fields));
    t.equal(made.flags, one.prekeys.oneTime ? 7 : 4);
    t.same(made.ek, x25519.getPublicKey(hex(one.ekPrivate)));
    t.same(made.id, hex(one.sessionId));
    t.same(made.binding, hex(one.binding));
    t.same(made.root, hex(one.root));
    t.same(made.there, hex(one.headerKeyToResponder));
    t.same(made.back, hex(one.nextHeaderKeyToInitiator));
    const sealed = ml_kem768.encapsulate(
      hex(one.prekeys.pq.public),
      hex(one.encapsulationRandomness),
    );
    t.same(hex(one.fields).subarray(65), sealed.cipherText);
  }
});

/** A sender's half of the ratchet, §5. */
interface Half {
  pair?: string | undefined;
  peer?: string | undefined;
  chain?: Uint8Array;
  headerKey?: Uint8Array;
  next: Uint8Array;
  n: number;
  previous: number;
}

t.test('I3 ratchet.md §5, §6: every message byte for byte', async (t) => {
  const file = await read('ratchet');
  const { alice, bob, prekeys, privatePrekeys, messages } = file;
  const withPrivate = {
    signed: { ...prekeys.signed, private: privatePrekeys.signed },
    pq: { ...prekeys.pq, seed: privatePrekeys.pqSeed },
    oneTime: { ...prekeys.oneTime, private: privatePrekeys.oneTime },
  };
  const fields = hex(messages[0].message).subarray(18, 18 + 1153);
  const made = agree(alice, bob, withPrivate, fields);
  t.same(made.id, hex(file.sessionId));

  let root = made.root;
  const step = (secret: Uint8Array) => {
    const keys = hkdf(sha256, secret, root, text('PI/1/DR/RK'), 96);
    root = keys.subarray(0, 32);
    return { chain: keys.subarray(32, 64), next: keys.subarray(64) };
  };
  const half = (next: Uint8Array): Half => ({ next, n: 0, previous: 0 });
  const halves: Record<string, Half> = { a: half(made.there), b: half(made.back) };
  const [a, b] = [halves['a'] as Half, halves['b'] as Half];
  a.peer = prekeys.signed.public;
  let answered = false;
  for (const message of messages) {
    const mine = message.from === 'a' ? a : b;
    const theirs = message.from === 'a' ? b : a;
    if (message.ratchetKeyPrivate) {
      const made = step(dh(message.ratchetKeyPrivate, mine.peer as string));
      Object.assign(mine, {
        previous: mine.n,
        n: 0,
        pair: message.ratchetKeyPrivate,
        chain: made.chain,
        headerKey: mine.next,
        next: made.next,
      });
      theirs.peer = Buffer.from(x25519.getPublicKey(hex(message.ratchetKeyPrivate))).toString(
        'hex',
      );
    }
    answered ||= message.from === 'b';
    const chain = mine.chain as Uint8Array;
    const messageKey = hmac(sha256, chain, Uint8Array.of(1));
    mine.chain = hmac(sha256, chain, Uint8Array.of(2));
    t.same(messageKey, hex(message.messageKey));
    t.same(mine.headerKey, hex(message.headerKey));

    const nonce = hex(message.nonce);
    const own = x25519.getPublicKey(hex(mine.pair as string));
    const header = join(own, u32(mine.previous), u32(mine.n++), zeros(4));
    const sealedHeader = xchacha20poly1305(
      mine.headerKey as Uint8Array,
      nonce,
      text('PI/1/DR/HDR'),
    ).encrypt(header);
    const first = message.from === 'a' && !answered;
    const head = join(Uint8Array.of(1, first ? 0x42 : 0x41), made.id);
    const ad = join(made.binding, head, first ? sha256(fields) : zeros(0), nonce, sealedHeader);
    const keys = hkdf(sha256, messageKey, nonce, text('PI/1/DR/MK'), 76);
    const body = chacha20poly1305(keys.subarray(0, 32), keys.subarray(32, 44), ad).encrypt(
      hex(message.plaintext),
    );
    t.same(
      join(head, first ? fields : zeros(0), nonce, sealedHeader, keys.subarray(44), body),
      hex(message.message),
    );
  }
});
