import { argon2 } from 'node:crypto';
import { promisify } from 'node:util';
import t from 'tap';
import { type Argon2id, checkKdf, hashPassword, kdfCeiling, kdfFloor } from './password.ts';

const derive = promisify(argon2);
/** The real thing. */
const argon2id: Argon2id = async (message, nonce, { memory, passes, lanes }) => {
  const cost = { memory, passes, parallelism: lanes };
  return new Uint8Array(await derive('argon2id', { message, nonce, ...cost, tagLength: 32 }));
};
const salt = new Uint8Array(16).fill(7);

t.test('A1: what is sent and what stays are two different keys of one slow hash', async (t) => {
  const { auth, wrap } = await hashPassword('correct horse', salt, kdfFloor, argon2id);
  t.equal(auth.length, 32);
  t.equal(wrap.length, 32);
  t.notSame(auth, wrap);
  const again = await hashPassword('correct horse', salt, kdfFloor, argon2id);
  t.same(again, { auth, wrap });
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
