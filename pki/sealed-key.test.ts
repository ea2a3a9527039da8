/** Keys of the CA at rest (M5): what opens them, and what does not. docs/protocol/at-rest.md §4 */
import { createDecipheriv } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { generateKey } from './key.ts';
import { Refusal } from './refusal.ts';
import { openKey, sealKey, versionOf } from './sealed-key.ts';
import { keysOfVersions } from './testing/keys.ts';

const { privateKey } = await generateKey();
const der = privateKey.export({ format: 'der', type: 'pkcs8' });
const keys = keysOfVersions(3);
const sealed = sealKey(privateKey, 'issuing', keys);

t.test('M5: the bytes are as they are drawn, and hold nothing of the key', async (t) => {
  t.equal(sealed.subarray(0, 9).toString('hex'), '5049434b0100000003');
  t.equal(sealed.length, 21 + der.length + 16);
  t.equal(versionOf(sealed), 3);
  const kek = Buffer.alloc(32, 3);
  const decipher = createDecipheriv('aes-256-gcm', kek, sealed.subarray(9, 21))
    .setAAD(Buffer.concat([sealed.subarray(0, 21), Buffer.from('issuing')]))
    .setAuthTag(sealed.subarray(-16));
  const plain = Buffer.concat([decipher.update(sealed.subarray(21, -16)), decipher.final()]);
  t.ok(plain.equals(der), 'as somebody else would open it');
  for (let at = 0; at + 8 <= der.length; at++) t.notOk(sealed.includes(der.subarray(at, at + 8)));
  t.ok(openKey(sealed, 'issuing', keys).equals(privateKey));
  t.notOk(sealKey(privateKey, 'issuing', keys).equals(sealed), 'with a nonce of its own each time');
});

t.test('M5: another role, another key and an older master key open nothing', async (t) => {
  t.throws(() => openKey(sealed, 'edge', keys), { code: 'sealed_key' });
  const other = { newest: 3, kek: () => keysOfVersions(4).kek(4) };
  t.throws(() => openKey(sealed, 'issuing', other), { code: 'sealed_key' });
  t.throws(() => openKey(sealed, 'issuing', keysOfVersions(1, 2)), {
    code: 'key_version',
    message: /put the newest copy of it back/,
  });
  t.ok(openKey(sealed, 'issuing', keysOfVersions(3, 4)).equals(privateKey));
});

t.test('M5: every changed byte and every other length is refused', async (t) => {
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    t.throws(() => openKey(changed, 'issuing', keys), { name: 'Refusal' }, `byte ${at}`);
  }
  for (const length of [0, 4, 5, 9, 21, 36, 37, 38, sealed.length - 1])
    t.throws(() => openKey(sealed.subarray(0, length), 'issuing', keys), { name: 'Refusal' });
  t.throws(() => openKey(Buffer.concat([sealed, Buffer.alloc(1)]), 'issuing', keys), {
    code: 'sealed_key',
  });
});

t.test('fuzz: bytes of any kind are refused in a stated way', async (t) => {
  const head = sealed.subarray(0, 9);
  const near = fc.uint8Array({ maxLength: 300 }).map((tail) => Buffer.concat([head, tail]));
  const stated = (bytes: Uint8Array): boolean => {
    try {
      openKey(bytes, 'issuing', keys);
      return false;
    } catch (error) {
      return error instanceof Refusal;
    }
  };
  const run = fc.check(fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), near), stated), {
    numRuns: 2000,
  });
  t.notOk(run.failed, `seed ${run.seed} ${run.counterexamplePath ?? ''}`);
});
