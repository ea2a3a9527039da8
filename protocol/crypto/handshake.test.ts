/** PQXDH: agreement, what the transcript binds, and what a responder refuses. */
import t from 'tap';
import { SampleDevice } from '../vectors/sample-device.ts';
import { Reader, utf8Bytes } from '../wire/bytes.ts';
import { initiate, type Party, type PeerPrekeys, pqxdh, respond } from './handshake.ts';
import { encodeFields, type HandshakeFields, readFields } from './handshake-fields.ts';
import { ed25519, equal, hkdf, mlkem768, sha256, x25519 } from './primitives.ts';
import { codeOf, start, x3dh } from './testing/devices.ts';

const alice = new SampleDevice('a', 1);
const bob = new SampleDevice('b', 7);

const begin = (prekeys: PeerPrekeys, peer: Party = bob.party) =>
  initiate(alice.own, peer, prekeys, { generation: 1 });
const fieldsOf = (made: { fields: Uint8Array }): HandshakeFields =>
  readFields(new Reader(made.fields));

t.test('M1 both sides derive the same keys, with and without a one-time prekey', (t) => {
  for (const withOneTime of [true, false]) {
    const made = begin(bob.bundle(withOneTime));
    const answered = respond(bob.own, alice.party, fieldsOf(made), bob);
    t.same(answered.id, made.id);
    t.same(answered.binding, made.binding);
    t.same(answered.ratchet.root, made.ratchet.root);
    t.same(answered.ratchet.nextReceiveKey, made.ratchet.nextSendKey);
    t.same(answered.ratchet.nextSendKey, made.ratchet.nextReceiveKey);
    t.notOk(equal(made.ratchet.nextSendKey, made.ratchet.nextReceiveKey));
    t.equal(answered.used.oneTime !== undefined, withOneTime);
    t.equal(answered.used.pqOneTime !== undefined, withOneTime);
  }
  t.end();
});

t.test('M1 the keys are those of the document, computed another way', (t) => {
  const prekeys = bob.bundle();
  const made = begin(prekeys);
  const fields = fieldsOf(made);
  const party = ({ account, device, aik, dsk, dik }: Party) =>
    Buffer.concat([Buffer.from(account, 'hex'), Buffer.from([0, 0, 0, device]), aik, dsk, dik]);
  const id = (value: number) => Buffer.from([0, 0, value >> 8, value & 255]);
  const transcript = Buffer.concat([
    Buffer.from('PI/1/handshake\0'),
    Buffer.from([7, 0, 0, 0, 1]),
    new Uint8Array(16),
    party(alice.party),
    party(bob.party),
    id(prekeys.signed.id),
    prekeys.signed.public,
    id(prekeys.oneTime?.id ?? 0),
    prekeys.oneTime?.public ?? new Uint8Array(0),
    id(prekeys.pq.id),
    sha256(prekeys.pq.public),
    fields.ciphertext,
    fields.ek,
  ]);
  const hash = sha256(transcript);
  const spk = bob.signed(prekeys.signed.id);
  const opk = bob.oneTime(prekeys.oneTime?.id ?? 0);
  const kem = bob.pq('one-time', prekeys.pq.id);
  if (!spk || !opk || !kem) throw new Error('missing prekeys');
  const ikm = Buffer.concat([
    new Uint8Array(32).fill(0xff),
    x25519.dh(spk, alice.party.dik),
    x25519.dh(bob.own.dik, fields.ek),
    x25519.dh(spk, fields.ek),
    x25519.dh(opk, fields.ek),
    mlkem768.decapsulate(kem, fields.ciphertext),
  ]);
  const keys = hkdf(new Uint8Array(32), ikm, Buffer.concat([Buffer.from('PI/1/PQXDH'), hash]), 96);
  t.same(made.ratchet.root, keys.subarray(0, 32));
  t.same(made.ratchet.nextSendKey, keys.subarray(32, 64));
  t.same(made.ratchet.nextReceiveKey, keys.subarray(64));
  t.same(made.id, sha256(Buffer.concat([Buffer.from('PI/1/session\0'), hash])).subarray(0, 16));
  const bound = [
    Buffer.from('PI/1/DR'),
    made.id,
    Buffer.from([0, 0, 0, 1]),
    party(alice.party),
    party(bob.party),
  ];
  t.same(made.binding, sha256(Buffer.concat(bound)));
  t.end();
});

t.test(
  'M1 pitfall: UKS (peer claims someone else’s DIK): another identity gives another session',
  (t) => {
    const made = begin(bob.bundle());
    const mallory = new SampleDevice('c', 1);
    const claims: Party[] = [
      { ...alice.party, account: mallory.party.account },
      { ...alice.party, device: bob.party.device },
      { ...alice.party, aik: mallory.party.aik },
      { ...alice.party, dsk: ed25519.generate().public },
    ];
    for (const claim of claims) {
      const answered = respond(bob.own, claim, fieldsOf(made), bob);
      t.notOk(equal(answered.id, made.id));
      t.notOk(equal(answered.ratchet.root, made.ratchet.root));
      t.notOk(equal(answered.binding, made.binding));
    }
    const otherSelf = { ...bob.own, aik: mallory.party.aik };
    t.notOk(
      equal(respond(otherSelf, alice.party, fieldsOf(made), bob).ratchet.root, made.ratchet.root),
    );

    // Mallory publishes Bob's DIK as her own and forwards what Alice sends her: Bob opens nothing.
    const forwarded = alice.with(mallory, { peer: { ...mallory.party, dik: bob.party.dik } });
    forwarded.start(bob.bundle(), start);
    const message = forwarded.encrypt(utf8Bytes('to Mallory'), start).message;
    t.equal(
      codeOf(() => bob.with(alice).decrypt(message, start, bob)),
      'undecryptable',
    );
    t.end();
  },
);

t.test(
  'M1 pitfall: KEM pk confusion: the ciphertext is bound to the very key it was made for',
  (t) => {
    const prekeys = bob.bundle();
    const made = begin(prekeys);
    const other = mlkem768.generate();
    const swapped = {
      signed: bob.signed.bind(bob),
      oneTime: bob.oneTime.bind(bob),
      seen: () => false,
      pq: () => other,
    };
    const answered = respond(bob.own, alice.party, fieldsOf(made), swapped);
    t.notOk(equal(answered.id, made.id));
    t.notOk(equal(answered.ratchet.root, made.ratchet.root));

    // Re-encapsulation: a second key whose secret Mallory has made equal still differs in the transcript.
    const kem = bob.pq('one-time', prekeys.pq.id);
    if (!kem) throw new Error('missing prekey');
    const sameSecret = { ...swapped, pq: () => ({ ...kem, public: other.public }) };
    t.notOk(equal(respond(bob.own, alice.party, fieldsOf(made), sameSecret).id, made.id));
    t.end();
  },
);

t.test('M1 pitfall: swapped OPK: every prekey used is part of the transcript', (t) => {
  const made = begin(bob.bundle());
  for (const which of ['signed', 'oneTime'] as const) {
    const swapped = {
      signed: bob.signed.bind(bob),
      oneTime: bob.oneTime.bind(bob),
      pq: bob.pq.bind(bob),
      seen: () => false,
      [which]: () => x25519.generate(),
    };
    t.notOk(equal(respond(bob.own, alice.party, fieldsOf(made), swapped).id, made.id), which);
  }
  t.end();
});

t.test('M1 pitfall: EK reuse: a handshake that was seen is refused before any work', (t) => {
  const made = begin(bob.bundle(false));
  const fields = fieldsOf(made);
  const { used } = respond(bob.own, alice.party, fields, bob);
  t.same(used.seen, { signedId: fields.signedId, pqId: fields.pqId, ek: fields.ek });
  const nothing = () => {
    throw new Error('no prekey may be asked for');
  };
  const lookup = { signed: nothing, oneTime: nothing, pq: nothing, seen: () => true };
  t.equal(
    codeOf(() => respond(bob.own, alice.party, fields, lookup)),
    'replayed',
  );
  t.end();
});

t.test('M1 prekeys that are gone, or never were, are told', (t) => {
  const fields = fieldsOf(begin(bob.bundle()));
  for (const gone of ['signed', 'oneTime', 'pq'] as const) {
    const lookup = {
      signed: bob.signed.bind(bob),
      oneTime: bob.oneTime.bind(bob),
      pq: bob.pq.bind(bob),
      seen: () => false,
      [gone]: () => undefined,
    };
    t.equal(
      codeOf(() => respond(bob.own, alice.party, fields, lookup)),
      'prekey_gone',
    );
  }
  t.end();
});

t.test('M1 pitfall: downgrade: neither side takes the other suite for its own', (t) => {
  const weak = initiate(alice.own, bob.party, bob.bundle(), { generation: 1, suite: x3dh });
  t.equal(
    codeOf(() => respond(bob.own, alice.party, fieldsOf(weak), bob)),
    'pq_required',
  );
  t.same(respond(bob.own, alice.party, fieldsOf(weak), bob, x3dh).ratchet.root, weak.ratchet.root);
  const strong = begin(bob.bundle());
  t.equal(
    codeOf(() => respond(bob.own, alice.party, fieldsOf(strong), bob, x3dh)),
    'pq_required',
  );
  t.equal(pqxdh.pq, true);
  t.end();
});

t.test('M1 pitfall: all-zero/non-canonical points are refused wherever they come in', (t) => {
  const bad = [
    new Uint8Array(32),
    new Uint8Array(32).fill(0xff),
    Uint8Array.of(1, ...new Uint8Array(31)),
  ];
  const good = bob.bundle();
  for (const point of bad) {
    const prekeys = [
      { ...good, signed: { id: 1, public: point } },
      { ...good, oneTime: { id: 1, public: point } },
    ];
    for (const changed of prekeys)
      t.equal(
        codeOf(() => begin(changed)),
        'not_canonical',
      );
    t.equal(
      codeOf(() => begin(good, { ...bob.party, dik: point })),
      'not_canonical',
    );
    const fields = { ...fieldsOf(begin(bob.bundle())), ek: point };
    t.equal(
      codeOf(() =>
        respond(bob.own, alice.party, readFields(new Reader(encodeFields(fields))), bob),
      ),
      'not_canonical',
    );
  }
  t.end();
});

t.test('M1 pitfall: malleability: what is absent has one encoding', (t) => {
  const fields = fieldsOf(begin(bob.bundle(false)));
  const decode = (changed: Partial<HandshakeFields>) =>
    codeOf(() => readFields(new Reader(encodeFields({ ...fields, ...changed }))));
  t.equal(decode({}), 'none');
  t.equal(decode({ oneTimeId: 1 }), 'malformed');
  t.equal(decode({ generation: 0 }), 'malformed');
  t.equal(
    decode({ pq: false, ciphertext: new Uint8Array(0) }),
    fields.pqId === 0 ? 'none' : 'malformed',
  );
  const flagged = Uint8Array.from(encodeFields(fields));
  flagged[0] = 8;
  t.equal(
    codeOf(() => readFields(new Reader(flagged))),
    'malformed',
  );
  t.same(encodeFields(fields), encodeFields(readFields(new Reader(encodeFields(fields)))));
  t.end();
});
