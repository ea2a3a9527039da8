/** The root key under its passphrase. */
import fc from 'fast-check';
import t from 'tap';
import { generateKey } from './key.ts';
import { unwrapKey, type WrapCost, wrapCost, wrapKey } from './wrap.ts';

const cheap: WrapCost = { memory: 8, passes: 1, lanes: 1 };
const passphrase = 'correct horse battery staple';
const { privateKey } = await generateKey();
const file = await wrapKey(privateKey, passphrase, cheap);

t.test('a wrapped key comes back with its passphrase and with nothing else', async (t) => {
  t.ok((await unwrapKey(file, passphrase)).equals(privateKey));
  for (const wrong of [
    '',
    'correct horse battery stapl',
    `${passphrase} `,
    passphrase.toUpperCase(),
  ]) {
    await t.rejects(unwrapKey(file, wrong), { name: 'Refusal', code: 'passphrase' }, wrong);
  }
});

t.test('a wrong passphrase is told in a plain sentence, without a stack of OpenSSL', async (t) => {
  const error = await unwrapKey(file, 'another passphrase').catch((thrown: unknown) => thrown);
  t.equal(
    error instanceof Error && error.message,
    'The passphrase is wrong, or the file with the root key was changed. Check both.',
  );
});

t.test('a passphrase typed on another keyboard is the same passphrase (NFC)', async (t) => {
  const composed = await wrapKey(privateKey, 'caf\u00e9 caf\u00e9 caf\u00e9', cheap);
  t.ok((await unwrapKey(composed, 'cafe\u0301 cafe\u0301 cafe\u0301')).equals(privateKey));
});

t.test('a passphrase below 12 characters is refused', async (t) => {
  await t.rejects(wrapKey(privateKey, 'eleven char', cheap), { code: 'passphrase_short' });
});

t.test('fuzz: a file with any byte changed, cut off or added is refused', async (t) => {
  const index = fc.integer({ min: 0, max: file.length - 1 });
  const flip = fc.integer({ min: 1, max: 255 });
  const changed = fc.tuple(index, flip).map(([at, bit]) => {
    const bytes = Buffer.from(file);
    bytes[at] = (bytes[at] ?? 0) ^ bit;
    // A cost that is sane and large is not what this test waits for.
    return at >= 5 && at < 13 ? Buffer.from(file.with(20, (file[20] ?? 0) ^ bit)) : bytes;
  });
  const cut = index.map((end) => file.subarray(0, end));
  const longer = fc
    .uint8Array({ minLength: 1, maxLength: 64 })
    .map((more) => Buffer.concat([file, more]));
  const refused = fc.asyncProperty(fc.oneof(changed, cut, longer), async (bytes) => {
    const error = await unwrapKey(bytes, passphrase).catch((thrown: unknown) => thrown);
    return error instanceof Error && error.name === 'Refusal';
  });
  const run = await fc.check(refused, { numRuns: 300 });
  t.notOk(run.failed, `seed ${run.seed} ${run.counterexamplePath ?? ''}`);
});

t.test(
  'pitfall: node:crypto takes a GCM tag of four bytes unless its length is stated',
  async (t) => {
    for (const bytes of [4, 8, 12, 15]) {
      await t.rejects(unwrapKey(file.subarray(0, bytes - 16), passphrase), { code: 'passphrase' });
    }
  },
);

t.test('a file that asks for more memory than a machine has is not tried', async (t) => {
  const greedy = Buffer.from(file);
  greedy.writeUInt32BE(0xffffffff, 5);
  const patient = Buffer.from(file);
  patient.writeUInt32BE(0xffffffff, 9);
  const lanes = Buffer.from(file);
  lanes.writeUInt8(0, 13);
  for (const bytes of [
    greedy,
    patient,
    lanes,
    Buffer.alloc(0),
    Buffer.from('-----BEGIN'),
    file.subarray(1),
  ]) {
    await t.rejects(unwrapKey(bytes, passphrase), { code: 'not_wrapped' });
  }
});

t.test('a version that this program does not know is refused as such', async (t) => {
  await t.rejects(unwrapKey(file.with(4, 2), passphrase), { code: 'not_wrapped' });
});

t.test('the same key and passphrase never make the same file', async (t) => {
  t.notOk((await wrapKey(privateKey, passphrase, cheap)).equals(file));
});

t.test('the cost in use is what the design measured: 256 MiB, three passes', async (t) => {
  t.match(wrapCost, { memory: 262_144, passes: 3 });
});
