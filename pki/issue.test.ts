/** What pki refuses to sign. */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { issueLeaf } from './issue.ts';
import { generateKey, readSpki, spkiOf } from './key.ts';
import { hierarchy, leafOf } from './testing/hierarchy.ts';

const h = await hierarchy();
const spki = spkiOf((await generateKey()).publicKey);
const now = h.now;

t.test(
  'T2 gap: constraints on DNS names leave other names free, so the profile checker refuses them all',
  async (t) => {
    const bad = [
      [],
      ['gateway.island.internal', 'nats.island.internal'],
      ['island.internal'],
      ['*.island.internal'],
      ['a.b.island.internal'],
      ['gateway.island.internal.'],
      ['Gateway.island.internal'],
      ['gateway.island.internal\0.example.org'],
      ['gateway.example.org'],
      ['localhost'],
      ['127.0.0.1'],
      ['spiffe://island.internal/gateway'],
      ['gateway@island.internal'],
      [''],
    ];
    for (const names of bad) {
      t.throws(
        () => issueLeaf(h.issuing, { kind: 'internal', names, spki, now }),
        { code: 'name' },
        JSON.stringify(names),
      );
    }
  },
);

t.test(
  'T1 a public certificate never names the internal zone, a wildcard or an odd address',
  async (t) => {
    const bad = [
      [],
      ['island.internal'],
      ['gateway.island.internal'],
      ['*.example.org'],
      ['fe80::1%eth0'],
      ['127.1'],
      ['0x7f.1'],
      ['1.2.3.4.5'],
      ['Example.org'],
      ['ex ample.org'],
      ['-a.org'],
      ['a..org'],
      [`${'a'.repeat(64)}.org`],
      Array.from({ length: 17 }, (_, i) => `h${i}.example.org`),
    ];
    for (const names of bad) {
      t.throws(
        () => issueLeaf(h.edge, { kind: 'public', names, spki, now }),
        { code: 'name' },
        JSON.stringify(names),
      );
    }
  },
);

t.test('a CA signs its own kind of leaf only', async (t) => {
  const internal = { kind: 'internal', names: ['gateway.island.internal'], spki, now } as const;
  const outside = { kind: 'public', names: ['example.org'], spki, now } as const;
  t.throws(() => issueLeaf(h.edge, internal), { code: 'profile' });
  t.throws(() => issueLeaf(h.issuing, outside), { code: 'profile' });
  t.throws(() => issueLeaf(h.root, internal), { code: 'profile' });
});

t.test('only P-256 keys in their one encoding are certified', async (t) => {
  const ec = (namedCurve: string): Buffer =>
    spkiOf(generateKeyPairSync('ec', { namedCurve }).publicKey);
  const others = {
    rsa: spkiOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey),
    p384: ec('secp384r1'),
    k256: ec('secp256k1'),
    ed25519: spkiOf(generateKeyPairSync('ed25519').publicKey),
    explicit: explicitCurve(),
    trailing: Buffer.concat([spki, Buffer.of(0)]),
    truncated: spki.subarray(0, -1),
    offCurve: Buffer.concat([spki.subarray(0, -1), Buffer.of((spki.at(-1) ?? 0) ^ 1)]),
    empty: Buffer.alloc(0),
  };
  for (const [what, key] of Object.entries(others)) {
    t.throws(() => readSpki(key), { code: 'key_type' }, what);
  }
});

/** The same curve, spelt out parameter by parameter: what CVE-2020-0601 hid behind. */
function explicitCurve(): Buffer {
  return generateKeyPairSync('ec', {
    namedCurve: 'prime256v1',
    paramEncoding: 'explicit',
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
  }).publicKey;
}

t.test(
  'fuzz: no byte changed in an SPKI is accepted as another spelling of the same key',
  async (t) => {
    const at = fc.integer({ min: 0, max: spki.length - 1 });
    const property = fc.property(at, fc.integer({ min: 1, max: 255 }), (index, flip) => {
      const changed = Buffer.from(spki);
      changed[index] = (changed[index] ?? 0) ^ flip;
      try {
        return spkiOf(readSpki(changed)).equals(changed);
      } catch (error) {
        return error instanceof Error && 'code' in error && error.code === 'key_type';
      }
    });
    const run = fc.check(property, { numRuns: 500 });
    t.notOk(run.failed, `seed ${run.seed} ${run.counterexamplePath ?? ''}`);
  },
);

t.test('T2 performance: 200 certificates a second with their keys', async (t) => {
  const from = performance.now();
  for (let i = 0; i < 100; i++)
    await leafOf(h, { kind: 'internal', names: ['core.island.internal'] });
  const rate = 100_000 / (performance.now() - from);
  t.comment(`${rate.toFixed(0)} certificates a second`);
  t.ok(rate > 100, 'half of the goal, on a machine that does other things too');
});
