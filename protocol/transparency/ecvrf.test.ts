/**
 * RFC 9381 appendix B.3 and B.4: both suites of Edwards25519, on the core that an island runs. Their group is that of
 * noble, their encodings are written from §5.4.1 and §5.5.
 */
import { ed25519, ed25519_hasher } from '@noble/curves/ed25519.js';
import { bytesToNumberLE, numberToBytesLE } from '@noble/curves/utils.js';
import { sha512 } from '@noble/hashes/sha2.js';
import t from 'tap';
import { codeOf } from '../crypto/testing/devices.ts';
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { fromHex, hex } from '../wire/text.ts';
import { type EcvrfKey, type EcvrfSuite, ecvrf } from './ecvrf.ts';

const { Point } = ed25519;
const q = Point.Fn.ORDER;

interface SeededKey extends EcvrfKey {
  /** What the nonce of RFC 8032 is made of. */
  prefix: Uint8Array;
}

const keyOf = (seed: Uint8Array): SeededKey => {
  const { prefix, scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(seed);
  return { private: toScalar(scalar), public: pointBytes, prefix };
};
const toScalar = (n: bigint): Uint8Array => numberToBytesLE(((n % q) + q) % q, 32);

function decoded(bytes: Uint8Array): InstanceType<typeof Point> {
  try {
    return Point.fromBytes(bytes);
  } catch {
    throw new Fault('not_canonical');
  }
}

const times = (by: Uint8Array, point: InstanceType<typeof Point>): Uint8Array =>
  point.multiplyUnsafe(bytesToNumberLE(by)).toBytes();

/** What both have alike. `seen`: everything that is hashed. */
const edwards = (
  name: number,
  seen: string[] = [],
): Omit<EcvrfSuite<SeededKey>, 'encodeToCurve'> => ({
  ...{ name: Uint8Array.of(name), pointBytes: 32, challengeBytes: 16, scalarBytes: 32 },
  hash(bytes) {
    seen.push(hex(bytes));
    return sha512(bytes);
  },
  // §5.4.2.2
  nonce: ({ prefix }, h) => toScalar(bytesToNumberLE(sha512(concat(prefix, h)))),
  publicKey(bytes) {
    if (decoded(bytes).isSmallOrder()) throw new Fault('not_canonical');
    return bytes;
  },
  point: (bytes) => decoded(bytes).toBytes(),
  scalar(bytes) {
    if (bytesToNumberLE(bytes) >= q) throw new Fault('not_canonical');
    return bytes;
  },
  multiply: (by, point) => times(by, decoded(point)),
  multiplyBase: (by) => times(by, Point.BASE),
  subtract: (a, b) => decoded(a).subtract(decoded(b)).toBytes(),
  clearCofactor: (point) => decoded(point).clearCofactor().toBytes(),
  plusProduct: (a, b, c) => toScalar(bytesToNumberLE(a) + bytesToNumberLE(b) * bytesToNumberLE(c)),
});

/** ECVRF-EDWARDS25519-SHA512-TAI: try and increment, §5.4.1.1. */
const tai = (seen?: string[]): EcvrfSuite<SeededKey> => ({
  ...edwards(0x03, seen),
  encodeToCurve(publicKey, alpha) {
    for (let tried = 0; tried < 256; tried++) {
      const front = Uint8Array.of(0x03, 0x01);
      const hash = sha512(concat(front, publicKey, alpha, Uint8Array.of(tried, 0x00)));
      try {
        return Point.fromBytes(hash.subarray(0, 32)).clearCofactor().toBytes();
      } catch {
        // no point: the next
      }
    }
    throw new RangeError('no point in 256');
  },
});

/** ECVRF-EDWARDS25519-SHA512-ELL2: Elligator 2 of RFC 9380, §5.4.1.2. */
const ell2 = (seen?: string[]): EcvrfSuite<SeededKey> => ({
  ...edwards(0x04, seen),
  encodeToCurve: (publicKey, alpha) =>
    ed25519_hasher
      .encodeToCurve(concat(publicKey, alpha), {
        DST: concat(utf8Bytes('ECVRF_edwards25519_XMD:SHA-512_ELL2_NU_'), Uint8Array.of(0x04)),
      })
      .toBytes(),
});

const people = [
  {
    sk: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    pk: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    alpha: '',
    x: '307c83864f2833cb427a2ef1c00a013cfdff2768d980c0a3a520f006904de94f',
  },
  {
    sk: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    pk: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    alpha: '72',
    x: '68bd9ed75882d52815a97585caf4790a7f6c6b3b7f821c5e259a24b02e502e51',
  },
  {
    sk: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    pk: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    alpha: 'af82',
    x: '909a8b755ed902849023a55b15c23d11ba4d7f4ec5c2f51b1325a181991ea95c',
  },
] as const;

/** k is reduced modulo q. */
const examples = [
  {
    ...{ name: 'B.3 example 16', suite: tai, person: people[0] },
    h: '91bbed02a99461df1ad4c6564a5f5d829d0b90cfc7903e7a5797bd658abf3318',
    k: '8a49edbd1492a8ee09766befe50a7d563051bf3406cbffc20a88def030730f0f',
    u: 'aef27c725be964c6a9bf4c45ca8e35df258c1878b838f37d9975523f09034071',
    v: '5016572f71466c646c119443455d6cb9b952f07d060ec8286d678615d55f954f',
    pi: '8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d9727d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805',
    beta: '90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff66b71dda49d2de59d03450451af026798e8f81cd2e333de5cdf4f3e140fdd8ae',
  },
  {
    ...{ name: 'B.3 example 17', suite: tai, person: people[1] },
    h: '5b659fc3d4e9263fd9a4ed1d022d75eaacc20df5e09f9ea937502396598dc551',
    k: 'd8c3a66921444cb3427d5d989f9b315aa8ca3375e9ec4d52207711a1fdb44107',
    u: '1dcb0a4821a2c48bf53548228b7f170962988f6d12f5439f31987ef41f034ab3',
    v: 'fd03c0bf498c752161bae4719105a074630a2aa5f200ff7b3995f7bfb1513423',
    pi: 'f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed5933bf0864a62558b3ed7f2fea45c92a465301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02',
    beta: 'eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb5e33821bc613efb94db5e5b54c70a848a0bef4553a41befc57663b56373a5031',
  },
  {
    ...{ name: 'B.3 example 18', suite: tai, person: people[2] },
    h: 'bf4339376f5542811de615e3313d2b36f6f53c0acfebb482159711201192576a',
    k: '5ffdbc72135d936014e8ab708585fda379405542b07e3bd2c0bd48437fbac60a',
    u: '2bae73e15a64042fcebf062abe7e432b2eca6744f3e8265bc38e009cd577ecd5',
    v: '88cba1cb0d4f9b649d9a86026b69de076724a93a65c349c988954f0961c5d506',
    pi: '9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf8096bb474e53895c362d8628ee9f9ea3c0e52c7a5c691b6c18c9979866568add7a2d41b00b05081ed0f58ee5e31b3a970e',
    beta: '645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c452118fec1219202a0edcf038bb6373241578be7217ba85a2687f7a0310b2df19f',
  },
  {
    ...{ name: 'B.4 example 19', suite: ell2, person: people[0] },
    h: 'b8066ebbb706c72b64390324e4a3276f129569eab100c26b9f05011200c1bad9',
    k: '55cbb247af9b8372259a97b2cfec656d78868deb33b203d51b9961c364522400',
    u: '762f5c178b68f0cddcc1157918edf45ec334ac8e8286601a3256c3bbf858edd9',
    v: '4652eba1c4612e6fce762977a59420b451e12964adbe4fbecd58a7aeff5860af',
    pi: '7d9c633ffeee27349264cf5c667579fc583b4bda63ab71d001f89c10003ab46f14adf9a3cd8b8412d9038531e865c341cafa73589b023d14311c331a9ad15ff2fb37831e00f0acaa6d73bc9997b06501',
    beta: '9d574bf9b8302ec0fc1e21c3ec5368269527b87b462ce36dab2d14ccf80c53cccf6758f058c5b1c856b116388152bbe509ee3b9ecfe63d93c3b4346c1fbc6c54',
  },
  {
    ...{ name: 'B.4 example 20', suite: ell2, person: people[1] },
    h: '76ac3ccb86158a9104dff819b1ca293426d305fd76b39b13c9356d9b58c08e57',
    k: '9565956daeedf376cad61b829b2a4d21ba1b52e9b3e2457477a64630a9711003',
    u: '8ec26e77b8cb3114dd2265fe1564a4efb40d109aa3312536d93dfe3d8d80a061',
    v: 'fe799eb5770b4e3a5a27d22518bb631db183c8316bb552155f442c62a47d1c8b',
    pi: '47b327393ff2dd81336f8a2ef10339112401253b3c714eeda879f12c509072ef055b48372bb82efbdce8e10c8cb9a2f9d60e93908f93df1623ad78a86a028d6bc064dbfc75a6a57379ef855dc6733801',
    beta: '38561d6b77b71d30eb97a062168ae12b667ce5c28caccdf76bc88e093e4635987cd96814ce55b4689b3dd2947f80e59aac7b7675f8083865b46c89b2ce9cc735',
  },
  {
    ...{ name: 'B.4 example 21', suite: ell2, person: people[2] },
    h: '13d2a8b5ca32db7e98094a61f656a08c6c964344e058879a386a947a4e189ed1',
    k: '1fda4077f737098b3f361c33a36cccafd7e9e9b720e1f84011254e25f37eed02',
    u: 'a012f35433df219a88ab0f9481f4e0065d00422c3285f3d34a8b0202f20bac60',
    v: 'fb613986d171b3e98319c7ca4dc44c5dd8314a6e5616c1a4f16ce72bd7a0c25a',
    pi: '926e895d308f5e328e7aa159c06eddbe56d06846abf5d98c2512235eaa57fdce35b46edfc655bc828d44ad09d1150f31374e7ef73027e14760d42e77341fe05467bb286cc2c9d7fde29120a0b2320d04',
    beta: '121b7f9b9aaaa29099fc04a94ba52784d44eac976dd1a3cca458733be5cd090a7b5fbd148444f17f8daf1fb55cb04b1ae85a626e30a54b4b0f8abf4a43314a58',
  },
] as const;

for (const { name, suite: open, person, h, k, u, v, pi, beta } of examples) {
  t.test(`K1: RFC 9381 ${name}`, async (t) => {
    const seen: string[] = [];
    const suite = open(seen);
    const { prove, verify, proofToHash, proofBytes } = ecvrf(suite);
    const key = keyOf(fromHex(person.sk));
    const alpha = fromHex(person.alpha);
    t.equal(hex(key.public), person.pk);
    t.equal(
      hex(ed25519.utils.getExtendedPublicKey(fromHex(person.sk)).head.subarray(0, 32)),
      person.x,
    );
    t.equal(hex(suite.encodeToCurve(key.public, alpha)), h);
    t.equal(hex(suite.nonce(key, fromHex(h))), k);
    const made = prove(key, alpha);
    t.equal(hex(made.proof), pi);
    t.equal(hex(made.output), beta);
    t.equal(hex(proofToHash(fromHex(pi))), beta);
    t.equal(proofBytes, 80);
    // Y, H, Gamma, U and V, as the challenge is made of them: here of k, below of c and s.
    const challenged = `${hex(suite.name)}02${person.pk}${h}${pi.slice(0, 64)}${u}${v}00`;
    t.equal(seen[0], challenged);
    seen.length = 0;
    t.equal(hex(verify(fromHex(person.pk), alpha, fromHex(pi))), beta);
    t.equal(seen[0], challenged);
  });

  t.test(`pitfall: RFC 9381 ${name}, with any byte changed, is refused`, async (t) => {
    const { verify } = ecvrf(open());
    const [publicKey, alpha, proof] = [person.pk, person.alpha, pi].map(fromHex) as Bytes3;
    for (let at = 0; at < proof.length; at += 7) {
      const wrong = proof.with(at, (proof[at] ?? 0) ^ 1);
      t.equal(
        codeOf(() => verify(publicKey, alpha, wrong)),
        'vrf_invalid',
        `byte ${at}`,
      );
    }
    const other = concat(alpha, Uint8Array.of(0));
    t.equal(
      codeOf(() => verify(publicKey, other, proof)),
      'vrf_invalid',
    );
    t.equal(
      codeOf(() => verify(publicKey, alpha, proof.subarray(1))),
      'vrf_invalid',
    );
  });
}

type Bytes3 = [Uint8Array, Uint8Array, Uint8Array];

/** §5.4.5: for such a key everybody can prove. */
t.test('pitfall: a public key of small order is refused', async (t) => {
  const publicKey = Point.ZERO.toBytes();
  const key = { private: new Uint8Array(32), public: publicKey, prefix: new Uint8Array(32) };
  for (const suite of [tai(), ell2()]) {
    const { proof, output } = ecvrf(suite).prove(key, publicKey);
    const lenient = ecvrf({ ...suite, publicKey: suite.point });
    t.same(lenient.verify(publicKey, publicKey, proof), output, 'unless it is looked at');
    t.equal(
      codeOf(() => ecvrf(suite).verify(publicKey, publicKey, proof)),
      'vrf_invalid',
    );
  }
});
