/**
 * The vectors read by somebody who has only the documents: other libraries, no code of `crypto/`.
 * docs/protocol/encoding.md §7
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { hashRaw } from '@node-rs/argon2';
import t from 'tap';
import { hex, join, read, text, u32 } from './testing/stranger.ts';

const signedBy = (key: Uint8Array, purpose: string, bytes: Uint8Array, signature: Uint8Array) =>
  ed25519.verify(signature, join(text(`PI/1/sig/${purpose}\0`), bytes), key, { zip215: false });

t.test('devices.md §2, §3: certificate, its hash and the DIK proof', async (t) => {
  const { certificate, keys, dikProof } = await read('devices');
  const bytes = hex(certificate.bytes);
  const { fields } = certificate;
  const body = join(
    Uint8Array.of(1, 0x20),
    hex(fields.account),
    hex(fields.aik),
    u32(fields.device),
    u32(fields.addedDay),
    hex(fields.dsk),
    hex(fields.dik),
  );
  t.same(bytes.subarray(0, -64), body);
  t.ok(signedBy(hex(keys.dsk.public), 'device', body, bytes.subarray(-64)));
  t.same(ed25519.getPublicKey(hex(keys.dsk.seed)), hex(keys.dsk.public));
  const certHash = sha256(join(text('PI/1/hash/device\0'), bytes));
  t.same(certHash, hex(certificate.hash));
  const { challenge, proof } = dikProof;
  const secret = x25519.getSharedSecret(hex(keys.dik.private), hex(challenge.public));
  const salt = join(hex(challenge.public), hex(keys.dik.public));
  const key = hkdf(sha256, secret, salt, text('PI/1/dik-proof'), 32);
  t.same(hmac(sha256, key, certHash), hex(proof));
});

t.test('devices.md §4: lists are signed by the AIK in them and chained by hash', async (t) => {
  const { lists } = await read('devices');
  let previous = '00'.repeat(32);
  for (const { what, state, bytes: encoded, hash: hashed } of lists) {
    const bytes = hex(encoded);
    const signatures = (state.flags & 0x04) === 0 ? 64 : 128;
    const fields = bytes.subarray(0, -signatures);
    const signature = bytes.subarray(fields.length, fields.length + 64);
    t.ok(signedBy(hex(state.aik), 'device-list', fields, signature), what);
    t.equal(state.prevHash, previous, what);
    t.same(sha256(join(text('PI/1/hash/device-list\0'), bytes)), hex(hashed), what);
    t.equal(Buffer.from(bytes.subarray(3, 19)).toString('hex'), state.account, what);
    previous = hashed;
  }
  const [, , removed, rotated] = lists;
  const bytes = hex(rotated.bytes);
  const former = bytes.subarray(-64);
  const fields = bytes.subarray(0, -128);
  t.ok(signedBy(hex(removed.state.aik), 'device-list-rotation', fields, former));
});

t.test('prekeys.md §2, §3: signatures and keys', async (t) => {
  const { dsk, signedPrekey, lastResort } = await read('prekeys');
  const key = hex(dsk.public);
  const signed = hex(signedPrekey.bytes);
  t.ok(signedBy(key, 'signed-prekey', signed.subarray(0, -64), signed.subarray(-64)));
  t.same(x25519.getPublicKey(hex(signedPrekey.private)), hex(signedPrekey.decoded.public));
  const last = hex(lastResort.bytes);
  t.ok(signedBy(key, 'last-resort-prekey', last.subarray(0, -64), last.subarray(-64)));
  t.same(ml_kem768.keygen(hex(lastResort.seed)).publicKey, hex(lastResort.decoded.public));
});

t.test('prekeys.md §4: the root of a batch, and a path to it', async (t) => {
  const { dsk, batch, oneTime } = await read('prekeys');
  const node = (a: Uint8Array, b: Uint8Array) => sha256(join(Uint8Array.of(1), a, b));
  const leaves = batch.pairs.map((pair: { id: number; dh: string; kemSeed: string }) => {
    const kem = ml_kem768.keygen(hex(pair.kemSeed)).publicKey;
    return sha256(join(Uint8Array.of(0), u32(pair.id), x25519.getPublicKey(hex(pair.dh)), kem));
  });
  const root = (from: number, size: number): Uint8Array =>
    size === 1
      ? (leaves[from] ?? new Uint8Array(32))
      : node(root(from, size / 2), root(from + size / 2, size / 2));
  t.same(root(0, 128), hex(batch.root));
  const head = hex(batch.bytes).subarray(0, 15);
  const signature = hex(batch.signature);
  t.ok(signedBy(hex(dsk.public), 'one-time-batch', join(head, hex(batch.root)), signature));
  const path = hex(oneTime.path);
  let reached = leaves[oneTime.index];
  for (let depth = 0; depth < 7; depth++) {
    const sibling = path.subarray(depth * 32, depth * 32 + 32);
    reached = (oneTime.index >> depth) & 1 ? node(sibling, reached) : node(reached, sibling);
  }
  t.same(reached, hex(batch.root));
});

t.test('dm.md §5: the envelope, opened and sealed', async (t) => {
  const { envelope } = await read('dm');
  const bytes = hex(envelope.bytes);
  const ephemeral = bytes.subarray(2, 34);
  t.same(x25519.getPublicKey(hex(envelope.ephemeralPrivate)), ephemeral);
  const secret = x25519.getSharedSecret(hex(envelope.recipient.private), ephemeral);
  const salt = join(text('PI/1/SS'), hex(envelope.recipient.public), ephemeral);
  const keys = hkdf(sha256, secret, salt, text('PI/1/SS'), 44);
  const cipher = chacha20poly1305(keys.subarray(0, 32), keys.subarray(32), bytes.subarray(0, 34));
  const { certificate, type, message } = envelope.content;
  const content = join(
    Uint8Array.of(1, 0x31),
    hex(certificate),
    Uint8Array.of(type, 0, message.length / 2),
    hex(message),
  );
  t.same(cipher.decrypt(bytes.subarray(36)), content);
});

t.test('accounts.md §2: the password hash by another Argon2id, and its proofs', async (t) => {
  const { cases } = await read('password');
  for (const { password, salt, kdf, auth, wrap, key, proofs } of cases) {
    const cost = { memoryCost: kdf.memory, timeCost: kdf.passes, parallelism: kdf.lanes };
    const options = { outputLen: 32, salt: hex(salt), ...cost };
    const mk = await hashRaw(password.normalize('NFKC'), options);
    t.same(hkdf(sha256, mk, undefined, text('PI/1/pw/auth'), 32), hex(auth));
    t.same(hkdf(sha256, mk, undefined, text('PI/1/pw/wrap'), 32), hex(wrap));
    t.same(hkdf(sha256, mk, undefined, text('PI/1/pw/key'), 32), hex(key.seed));
    t.same(ed25519.getPublicKey(hex(key.seed)), hex(key.public));
    for (const { nonce, island, name, device, proof } of proofs) {
      const length = Uint8Array.of(0, name.length);
      const fields = join(hex(nonce), hex(island), length, text(name), u32(device), hex(auth));
      t.ok(signedBy(hex(key.public), 'password', fields, hex(proof)));
    }
  }
});

t.test('accounts.md §4: what a device signs for a session', async (t) => {
  const { dsk, deviceProofs, shown, token, attempt } = await read('password');
  const about: Record<string, Uint8Array> = {
    login: sha256(hex(shown)),
    refresh: sha256(join(hex(token), hex(attempt))),
    'refresh without an attempt': sha256(hex(token)),
  };
  const uses: string[] = [];
  for (const proof of deviceProofs) {
    uses[proof.use] = proof.what;
    const expected = about[proof.what];
    if (expected !== undefined) t.same(hex(proof.about), expected, proof.what);
    const from = join(hex(proof.account), u32(proof.device), Uint8Array.of(proof.use));
    const fields = join(hex(proof.nonce), from, hex(proof.about));
    t.ok(signedBy(hex(dsk.public), 'session', fields, hex(proof.proof)), proof.what);
  }
  t.equal(uses.length, 5);
});
