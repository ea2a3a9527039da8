/** What a proof of the map shows, and what is no proof. */
import t from 'tap';
import { sha256 } from '../crypto/primitives.ts';
import { codeOf } from '../crypto/testing/devices.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { concat } from '../wire/bytes.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { fromHex, hex } from '../wire/text.ts';
import {
  encodeMapProof,
  mapProofKinds,
  mapValue,
  readMapProof,
  verifyAbsence,
  verifyMembership,
} from './map-proof.ts';
import { createMap, type LabelMap } from './map-tree.ts';

type Entry = readonly [index: Uint8Array, value: Uint8Array];

function filled(entries: readonly Entry[]): LabelMap {
  const map = createMap();
  for (const [index, value] of entries) map.set(index, value);
  return map;
}

const zeros = new Uint8Array(32);
const random = seededRandom('map-proof');
const sample: Entry[] = Array.from({ length: 300 }, () => [random(32), random(32)]);
const sampleMap = filled(sample);

t.test('pitfall: a proof with any byte changed, cut or lengthened is refused', async (t) => {
  const { root } = sampleMap;
  const [member, held] = sample[7] ?? [zeros, zeros];
  const absent = random(32);
  const cases = [
    [
      sampleMap.prove(member),
      (proof: Uint8Array) => verifyMembership({ root, index: member, value: held, proof }),
    ],
    [sampleMap.prove(absent), (proof: Uint8Array) => verifyAbsence({ root, index: absent, proof })],
  ] as const;
  for (const [proof, check] of cases) {
    check(proof);
    for (let at = 0; at < proof.length; at++) {
      for (const bit of [1, 0x10, 0x80]) {
        const wrong = Uint8Array.from(proof);
        wrong[at] = (wrong[at] ?? 0) ^ bit;
        if (codeOf(() => check(wrong)) === 'none') t.fail(`byte ${at}`);
      }
      if (codeOf(() => check(proof.subarray(0, at))) !== 'truncated') t.fail(`cut to ${at}`);
    }
    t.equal(
      codeOf(() => check(concat(proof, Uint8Array.of(0)))),
      'trailing_bytes',
    );
  }
});

t.test('pitfall: the proof of one index is none of another, nor of another map', async (t) => {
  const [[a, valueA], [b]] = sample as [Entry, Entry];
  const { root } = sampleMap;
  const proof = sampleMap.prove(a);
  t.equal(
    codeOf(() => verifyMembership({ root, index: b, value: valueA, proof })),
    'map_invalid',
  );
  const other = filled(sample.slice(1));
  t.equal(
    codeOf(() => verifyMembership({ root: other.root, index: a, value: valueA, proof })),
    'map_invalid',
  );
  const absence = other.prove(a);
  verifyAbsence({ root: other.root, index: a, proof: absence });
  t.equal(
    codeOf(() => verifyAbsence({ root, index: a, proof: absence })),
    'map_invalid',
  );
});

t.test('pitfall: a member is not made absent by a node above it or beside its way', async (t) => {
  const [index, held] = sample[3] ?? [zeros, zeros];
  const { root } = sampleMap;
  const { path } = readMapProof(sampleMap.prove(index));
  // The leaf itself, and the node above it: both are in the map and on the way, so neither is "other".
  const itself = { bits: 256, prefix: index, value: held };
  const above = path.slice(0, -1);
  const kind = mapProofKinds.other;
  const forged = [
    { kind, path, other: itself },
    { kind, path: above, other: itself },
    { kind: mapProofKinds.empty, path: path.slice(0, 1) },
  ];
  for (const each of forged) {
    const proof = encodeMapProof(each);
    t.equal(
      codeOf(() => verifyAbsence({ root, index, proof })),
      'map_invalid',
    );
  }
  // A node of the other side of the trie, as if it stood on this one.
  const far = sample.find(([each]) => (each[0] ?? 0) >> 7 !== (index[0] ?? 0) >> 7);
  const other = { bits: 256, prefix: far?.[0] ?? index, value: far?.[1] ?? held };
  const farPath = readMapProof(sampleMap.prove(other.prefix)).path;
  const proof = encodeMapProof({ kind, path: farPath, other });
  t.equal(
    codeOf(() => verifyAbsence({ root, index, proof })),
    'map_invalid',
  );
});

t.test('pitfall: proofs out of form are refused before anything is hashed', async (t) => {
  const sibling = zeros;
  const kind = mapProofKinds.member;
  const other = { bits: 256, prefix: zeros, value: zeros };
  const wrong: [string, Uint8Array, string][] = [
    ['kind 0', Uint8Array.of(0, 0), 'unknown_type'],
    ['kind 4', Uint8Array.of(4, 0), 'unknown_type'],
    ['no way to a member', encodeMapProof({ kind, path: [] }), 'malformed'],
    [
      'a way that does not begin at the root',
      encodeMapProof({ kind, path: [{ bits: 1, sibling }] }),
      'malformed',
    ],
    [
      'a way that does not go down',
      encodeMapProof({ kind, path: [0, 3, 3].map((bits) => ({ bits, sibling })) }),
      'malformed',
    ],
    [
      'an empty place below the root',
      encodeMapProof({ kind: 2, path: [0, 1].map((bits) => ({ bits, sibling })) }),
      'malformed',
    ],
    ['another node without a way', encodeMapProof({ kind: 3, path: [], other }), 'malformed'],
    [
      'a prefix of 257 bits',
      encodeMapProof({ kind: 3, path: [{ bits: 0, sibling }], other: { ...other, bits: 257 } }),
      'malformed',
    ],
    [
      'bits behind the prefix',
      encodeMapProof({
        kind: 3,
        path: [{ bits: 0, sibling }],
        other: { ...other, bits: 7, prefix: new Uint8Array(32).fill(1) },
      }),
      'malformed',
    ],
  ];
  for (const [why, proof, code] of wrong)
    t.equal(
      codeOf(() => readMapProof(proof)),
      code,
      why,
    );
  t.equal(
    codeOf(() => createMap().set(new Uint8Array(31), zeros)),
    'malformed',
  );
  t.equal(
    codeOf(() => createMap().prove(new Uint8Array(33))),
    'malformed',
  );
});

t.test('the value says version, place in the log and event', async (t) => {
  const event = sha256(Uint8Array.of(1));
  const all = [mapValue(1, 2, event), mapValue(2, 1, event), mapValue(1, 2, zeros)];
  t.equal(new Set(all.map(hex)).size, 3);
  t.equal(
    hex(mapValue(1, 2, event)),
    hex(
      sha256(
        concat(
          new TextEncoder().encode('pi-kt/v1 map\0'),
          fromHex(`00000001${'00'.repeat(7)}02`),
          event,
        ),
      ),
    ),
  );
});

t.test('no bytes bring the decoder of proofs down', async (t) => {
  const [[member]] = sample as [Entry];
  const map = createMap();
  const samples = [map.prove(member), sampleMap.prove(member), sampleMap.prove(random(32))];
  map.set(new Uint8Array(32), member);
  samples.push(map.prove(new Uint8Array(32).fill(0xff)));
  const form = { decode: readMapProof, encode: encodeMapProof, headless: true };
  await fuzzDecoder(t, { ...form, samples });
});
