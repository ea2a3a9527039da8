import t from 'tap';
import { argon2id, quick } from '../vectors/sample-account.ts';
import {
  type Argon2id,
  checkKdf,
  checkPasswordProof,
  hashPassword,
  kdfCeiling,
  kdfFloor,
  type PasswordClaim,
  provePassword,
} from './password.ts';
import { ed25519 } from './primitives.ts';
import { signatureInput } from './signature.ts';

const salt = new Uint8Array(16).fill(7);

t.test('A1: what is sent and what stays are different keys of one slow hash', async (t) => {
  const keys = await hashPassword('correct horse', salt, kdfFloor, argon2id);
  const all = [keys.auth, keys.wrap, keys.key.private, keys.key.public];
  t.same(
    all.map((key) => key.length),
    [32, 32, 32, 32],
  );
  t.equal(new Set(all.map((key) => Buffer.from(key).toString('hex'))).size, 4);
  t.same(await hashPassword('correct horse', salt, kdfFloor, argon2id), keys);
});

const { auth, key } = await hashPassword('correct horse', salt, kdfFloor, quick);
const nonce = new Uint8Array(40).fill(9);
const island = new Uint8Array(32).fill(7);
const claim: PasswordClaim = { nonce, island, name: 'ann', device: 2, auth };
const wrong = { name: 'Fault', code: 'wrong_credentials' };

t.test('A1: whoever shows a password signs a nonce that was never used before', async (t) => {
  const proof = provePassword(key, claim);
  t.doesNotThrow(() => checkPasswordProof(key.public, claim, proof));
  const others: Partial<PasswordClaim>[] = [
    { nonce: new Uint8Array(40) },
    { island: new Uint8Array(32) },
    { name: 'bob' },
    { device: 0 },
    { auth: new Uint8Array(32) },
  ];
  for (const other of others) {
    t.throws(() => checkPasswordProof(key.public, { ...claim, ...other }, proof), wrong);
  }
  const { key: another } = await hashPassword('battery staple', salt, kdfFloor, quick);
  t.throws(() => checkPasswordProof(another.public, claim, proof), wrong);
  t.throws(() => checkPasswordProof(key.public, claim, provePassword(another, claim)), wrong);
  t.throws(() => checkPasswordProof(key.public, claim, proof.subarray(1)), wrong);
});

t.test(
  'pitfall: SPK signature purpose confusion: a device’s proof is none of a password',
  async (t) => {
    const name = Buffer.from('\0\x03ann');
    const fields = Buffer.concat([claim.nonce, island, name, Buffer.of(0, 0, 0, 2), auth]);
    const right = ed25519.sign(key, signatureInput('password', fields));
    t.doesNotThrow(() => checkPasswordProof(key.public, claim, right), 'laid out as documented');
    const other = ed25519.sign(key, signatureInput('session', fields));
    t.throws(() => checkPasswordProof(key.public, claim, other), wrong);
  },
);

t.test('a nonce or an auth of another length is the caller’s mistake', async (t) => {
  const malformed = { name: 'Fault', code: 'malformed' };
  t.throws(() => provePassword(key, { ...claim, nonce: new Uint8Array(41) }), malformed);
  t.throws(() => provePassword(key, { ...claim, island: new Uint8Array(31) }), malformed);
  t.throws(() => provePassword(key, { ...claim, auth: auth.subarray(1) }), malformed);
});

/** Records what reaches Argon2id; the hash itself is of no interest here. */
function recorder() {
  const seen: { password: string; salt: Uint8Array }[] = [];
  const record: Argon2id = async (password, salt) => {
    seen.push({ password: Buffer.from(password).toString(), salt });
    return new Uint8Array(32);
  };
  return { seen, record };
}

t.test('two spellings of one password are one password (NFKC)', async (t) => {
  const { seen, record } = recorder();
  for (const password of ['Zu\u0308rich', 'Z\u00fcrich', '\uff3a\u00fcrich']) {
    await hashPassword(password, salt, kdfFloor, record);
  }
  t.same(
    seen.map(({ password }) => password),
    ['Zürich', 'Zürich', 'Zürich'],
  );
});

t.test('pitfall: KDF downgrade: below the floor nothing is hashed', async (t) => {
  const weak = { name: 'Fault', code: 'kdf_too_weak' };
  const { seen, record } = recorder();
  for (const less of [{ memory: 65_535 }, { passes: 2 }, { lanes: 0 }]) {
    await t.rejects(hashPassword('x', salt, { ...kdfFloor, ...less }, record), weak);
  }
  t.same(seen, []);
});

t.test('pitfall: KDF downgrade: below what was used before nothing is hashed', async (t) => {
  const pinned = { memory: 131_072, passes: 4, lanes: 1 };
  const weak = { name: 'Fault', code: 'kdf_too_weak' };
  const { seen, record } = recorder();
  await t.rejects(hashPassword('x', salt, kdfFloor, record, pinned), weak);
  await t.rejects(hashPassword('x', salt, { ...pinned, passes: 3 }, record, pinned), weak);
  t.same(seen, []);
  await hashPassword('x', salt, { ...pinned, passes: 5 }, record, pinned);
  t.equal(seen.length, 1);
});

t.test('an island can’t stop a client by asking for more than it has', async (t) => {
  const malformed = { name: 'Fault', code: 'malformed' };
  for (const field of ['memory', 'passes', 'lanes'] as const) {
    for (const value of [kdfCeiling[field] + 1, Number.NaN, 3.5, Number.POSITIVE_INFINITY]) {
      t.throws(() => checkKdf({ ...kdfFloor, [field]: value }), malformed, `${field} ${value}`);
    }
  }
});

t.test(
  'an empty, an ill-formed and an endless password, and a short salt, are refused',
  async (t) => {
    const malformed = { name: 'Fault', code: 'malformed' };
    const { record } = recorder();
    for (const password of ['', '\ud800', 'x'.repeat(1025)]) {
      await t.rejects(hashPassword(password, salt, kdfFloor, record), malformed);
    }
    await t.rejects(hashPassword('x', salt.subarray(1), kdfFloor, record), malformed);
  },
);
