/** The vector of c2sp.org/vrf-r255, and noble as the other side. */
import { ed25519, ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js';
import { bytesToNumberLE, numberToBytesLE } from '@noble/curves/utils.js';
import { sha512 } from '@noble/hashes/sha2.js';
import * as fc from 'fast-check';
import t from 'tap';
import { codeOf } from '../crypto/testing/devices.ts';
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { fromHex, hex } from '../wire/text.ts';
import { deriveVrfKey, prove, verify, vrfKey } from './vrf.ts';

const alpha = utf8Bytes('c2sp.org/vrf-r255');
const key = vrfKey(fromHex('3431c2b03533e280b23232e280b34e2c3132c2b03238e280b23131e280b34500'));
const pi =
  '0a97d961262fb549b4175c5117860f42ae44a123f93c476c439eddd1c0cff926' +
  '5c805525233e2284dbed45e593b8eea31d5ca9734d72bcbba9738d5237f955f3' +
  'b2422351149d1312503b6441a47c940c';
const beta =
  'dd653f0879b48c3ef69e13551239bec4cbcc1c18fe8894de2e9e1c790e182736' +
  '03bf1c6c25d7a797aeff3c43fd32b974d3fcbd4bcce916007097922a3ea3a794';

t.test('K1: the vector of c2sp.org/vrf-r255', async (t) => {
  t.equal(hex(key.public), '54136cd90d99fbd1d4e855d9556efea87ba0337f2a6ce22028d0f5726fcb854e');
  const made = prove(key, alpha);
  t.equal(hex(made.proof), pi);
  t.equal(hex(made.output), beta);
  t.equal(hex(verify(key.public, alpha, made.proof)), beta);
});

/** The same function over another library, written from the text of the specification. */
const { Point } = ristretto255;
const q = Point.Fn.ORDER;
const suite = concat(Uint8Array.of(0xff), alpha);
const H = (tag: number, ...parts: Uint8Array[]) =>
  sha512(concat(suite, Uint8Array.of(tag), ...parts));
const toPoint = (y: Uint8Array, a: Uint8Array) => {
  const point = ristretto255_hasher.deriveToCurve?.(H(0x82, y, a));
  if (point === undefined) throw new Error('noble has no map');
  return point;
};

function nobleVerify(y: Uint8Array, a: Uint8Array, proof: Uint8Array): boolean {
  const Y = Point.fromBytes(y);
  const gamma = Point.fromBytes(proof.subarray(0, 32));
  const c = bytesToNumberLE(proof.subarray(32, 48));
  const s = bytesToNumberLE(proof.subarray(48));
  const h = toPoint(y, a);
  const u = Point.BASE.multiply(s).subtract(Y.multiply(c));
  const v = h.multiply(s).subtract(gamma.multiply(c));
  const points = [Y, h, gamma, u, v].map((point) => point.toBytes());
  return hex(H(2, ...points, Uint8Array.of(0)).subarray(0, 16)) === hex(proof.subarray(32, 48));
}

function nobleProve(x: bigint, a: Uint8Array, k: bigint): Uint8Array {
  const y = Point.BASE.multiply(x).toBytes();
  const h = toPoint(y, a);
  const gamma = h.multiply(x).toBytes();
  const uv = [Point.BASE.multiply(k).toBytes(), h.multiply(k).toBytes()];
  const c = H(2, y, h.toBytes(), gamma, ...uv, Uint8Array.of(0)).subarray(0, 16);
  return concat(gamma, c, numberToBytesLE((k + bytesToNumberLE(c) * x) % q, 32));
}

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const labels = fc.uint8Array({ maxLength: 80 });

t.test('K1: noble verifies what we prove, and we what noble proves', async () => {
  await fc.assert(
    fc.property(seeds, labels, fc.bigInt({ min: 1n, max: q - 1n }), (seed, a, k) => {
      const own = deriveVrfKey(seed);
      const { proof, output } = prove(own, a);
      if (!nobleVerify(own.public, a, proof)) return false;
      // With another nonce it is another proof of the same output.
      const theirs = nobleProve(bytesToNumberLE(own.private), a, k);
      return hex(verify(own.public, a, theirs)) === hex(output);
    }),
    { numRuns: 25 },
  );
});

t.test('one key and label give one proof; other keys and labels other outputs', async (t) => {
  const a = prove(key, alpha);
  t.same(prove(key, alpha), a);
  const others = [
    prove(key, utf8Bytes('another label')),
    prove(deriveVrfKey(new Uint8Array(32)), alpha),
    prove(deriveVrfKey(new Uint8Array(32).fill(1)), alpha),
  ];
  t.equal(new Set([a, ...others].map(({ output }) => hex(output))).size, 4);
});

t.test('pitfall: a proof with any bit changed is refused', async (t) => {
  const good = prove(key, alpha).proof;
  for (let bit = 0; bit < good.length * 8; bit += 3) {
    const wrong = Uint8Array.from(good);
    wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (codeOf(() => verify(key.public, alpha, wrong)) !== 'vrf_invalid') t.fail(`bit ${bit}`);
  }
  for (const length of [0, 32, 79, 81]) {
    const wrong = new Uint8Array(length);
    wrong.set(good.subarray(0, length));
    t.equal(
      codeOf(() => verify(key.public, alpha, wrong)),
      'vrf_invalid',
      `${length} bytes`,
    );
  }
});

t.test('pitfall: a proof of another label or key is refused', async (t) => {
  const { proof } = prove(key, alpha);
  const other = deriveVrfKey(new Uint8Array(32));
  t.equal(
    codeOf(() => verify(key.public, utf8Bytes('c2sp.org/vrf-r256'), proof)),
    'vrf_invalid',
  );
  t.equal(
    codeOf(() => verify(other.public, alpha, proof)),
    'vrf_invalid',
  );
});

t.test(
  'pitfall: points and scalars in another spelling, and the identity, are refused',
  async (t) => {
    const { proof } = prove(key, alpha);
    // Identity, not canonical, negative, no square: RFC 9496 A.2; and an Ed25519 key.
    const bad = [
      '00'.repeat(32),
      `edff${'ff'.repeat(29)}7f`,
      `01${'00'.repeat(31)}`,
      '26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371',
      'ff'.repeat(32),
      '00'.repeat(31),
      hex(ed25519.Point.BASE.toBytes()),
    ].map(fromHex);
    for (const wrong of bad) {
      t.equal(
        codeOf(() => verify(wrong, alpha, proof)),
        'vrf_invalid',
        `key ${hex(wrong)}`,
      );
      const spliced = concat(wrong, proof.subarray(32));
      t.equal(
        codeOf(() => verify(key.public, alpha, spliced)),
        'vrf_invalid',
        hex(wrong),
      );
    }
    // s + q: the same number modulo the order.
    const s = bytesToNumberLE(proof.subarray(48)) + q;
    const unreduced = concat(proof.subarray(0, 48), numberToBytesLE(s, 32));
    t.equal(
      codeOf(() => verify(key.public, alpha, unreduced)),
      'vrf_invalid',
    );
    const zeros = concat(proof.subarray(0, 48), new Uint8Array(32));
    t.equal(
      codeOf(() => verify(key.public, alpha, zeros)),
      'vrf_invalid',
    );
    const noChallenge = concat(proof.subarray(0, 32), new Uint8Array(16), proof.subarray(48));
    t.equal(
      codeOf(() => verify(key.public, alpha, noChallenge)),
      'vrf_invalid',
    );
  },
);

t.test('pitfall: a secret that is no scalar makes no key', async (t) => {
  t.equal(
    codeOf(() => vrfKey(new Uint8Array(32))),
    'not_canonical',
  );
  t.equal(
    codeOf(() => vrfKey(new Uint8Array(32).fill(0xff))),
    'not_canonical',
  );
  t.equal(
    codeOf(() => deriveVrfKey(new Uint8Array(31))),
    'malformed',
  );
});
