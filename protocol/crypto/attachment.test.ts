import * as fc from 'fast-check';
import t, { type Test } from 'tap';
import { concat } from '../wire/bytes.ts';
import { hex } from '../wire/text.ts';
import {
  attachmentChunk,
  attachmentHeaderBytes,
  attachmentOpener,
  attachmentSealer,
  chunksOf,
  fileRange,
  padme,
  storedRange,
  storedSize,
} from './attachment.ts';
import { aesGcm, hkdf, randomBytes, sha256 } from './primitives.ts';
import { codeOf } from './testing/devices.ts';

/** A file of `size` bytes, sealed whole. */
function sealed(size: number, fileKey = randomBytes(32), file = randomBytes(size)) {
  const sealer = attachmentSealer(fileKey, size, sha256(file));
  const chunks = Array.from({ length: sealer.chunks }, (_, i) => {
    const { start, end } = fileRange(size, i);
    return sealer.seal(i, file.subarray(start, end));
  });
  const known = { fileKey, size, commit: sealer.commit };
  return { file, fileKey, sealer, chunks, known, header: sealer.header };
}
type Sealed = ReturnType<typeof sealed>;

const opener = ({ known, header }: Sealed) => attachmentOpener(known, header);
const open = (made: Sealed, index: number, bytes = made.chunks[index] ?? new Uint8Array(0)) =>
  opener(made).open(index, bytes);
const refused = (t: Test, work: () => unknown, why: string) =>
  t.equal(codeOf(work), 'attachment_broken', why);

const around = [
  ...[0, 1, 2, 100, attachmentChunk - 1, attachmentChunk, attachmentChunk + 1],
  ...[2 * attachmentChunk - 1, 2 * attachmentChunk, 2 * attachmentChunk + 1, 1_000_000],
];

t.test('every size comes back, also around the borders of chunks', async (t) => {
  for (const size of around) {
    const made = sealed(size);
    const parts = made.chunks.map((_, i) => open(made, i));
    t.equal(hex(sha256(concat(...parts))), hex(sha256(made.file)), `${size}`);
    t.equal(concat(made.header, ...made.chunks).length, storedSize(size));
    made.chunks.forEach((chunk, i) => {
      const { start, end } = storedRange(size, i);
      t.equal(end - start, chunk.length);
    });
    t.equal(storedRange(size, made.chunks.length - 1).end, storedSize(size));
  }
});

t.test('an empty file is one empty last chunk', async (t) => {
  const made = sealed(0);
  t.equal(chunksOf(0), 1);
  t.equal(storedSize(0), attachmentHeaderBytes + 16);
  t.equal(open(made, 0).length, 0);
});

t.test('Padmé: few sizes, at most 12 % more, never less', async (t) => {
  const known = [
    [0, 0],
    [1, 1],
    [2, 2],
    [9, 10],
    [100, 104],
    [1_000, 1_024],
    [65_535, 65_536],
    [65_537, 67_584],
    [1_000_000, 1_015_808],
    [1_073_741_824, 1_073_741_824],
  ] as const;
  for (const [size, padded] of known) t.equal(padme(size), padded, `${size}`);
  await fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (size) => {
      const padded = padme(size);
      return padded >= size && padded - size <= size * 0.12 && padme(padded) === padded;
    }),
  );
  const sizes = new Set(Array.from({ length: 10_000 }, (_, i) => padme(1_000_000 + i * 100)));
  t.ok(sizes.size <= 33, `${sizes.size} sizes for a million lengths`);
});

t.test(
  'pitfall: truncation: a chunk before the last is none, nor the last one of a shorter file',
  async (t) => {
    const made = sealed(3 * attachmentChunk);
    const shorter = { ...made.known, size: 2 * attachmentChunk };
    const cut = attachmentOpener(shorter, made.header);
    t.equal(
      codeOf(() => cut.open(0, made.chunks[0] ?? made.file)),
      'none',
      'the same so far',
    );
    refused(t, () => cut.open(1, made.chunks[1] ?? made.file), 'the second is not the last');
    const longer = attachmentOpener({ ...made.known, size: 4 * attachmentChunk }, made.header);
    refused(t, () => longer.open(2, made.chunks[2] ?? made.file), 'the last is not in the middle');
  },
);

t.test('pitfall: chunks that changed places, or came twice, are refused', async (t) => {
  const made = sealed(4 * attachmentChunk);
  for (const [place, other] of [
    [0, 1],
    [1, 0],
    [1, 2],
    [2, 3],
    [3, 0],
  ] as const) {
    refused(t, () => open(made, place, made.chunks[other]), `${other} in place of ${place}`);
  }
});

t.test('pitfall: a chunk of another file is refused, also under the same file key', async (t) => {
  const made = sealed(3 * attachmentChunk);
  const others = [sealed(3 * attachmentChunk), sealed(3 * attachmentChunk, made.fileKey)];
  for (const other of others) refused(t, () => open(made, 1, other.chunks[1]), 'of another');
  const [, same] = others;
  if (same) refused(t, () => attachmentOpener(made.known, same.header), 'header of another');
});

t.test(
  'pitfall: a file key that is used twice seals two files under two keys and nonces',
  async (t) => {
    const fileKey = randomBytes(32);
    const made = [sealed(500, fileKey), sealed(500, fileKey), sealed(500, fileKey)];
    t.equal(new Set(made.map(({ header }) => hex(header))).size, 3);
    t.equal(new Set(made.map(({ sealer }) => hex(sealer.commit))).size, 3);
    const file = randomBytes(500);
    const again = [sealed(500, fileKey, file), sealed(500, fileKey, file)];
    t.same(again[0]?.chunks, again[1]?.chunks, 'the same file gives the same bytes');
    t.same(again[0]?.header, again[1]?.header);
  },
);

t.test('pitfall: an altered header and a wrong commitment open nothing', async (t) => {
  const made = sealed(100);
  for (let at = 0; at < attachmentHeaderBytes; at++) {
    const header = Uint8Array.from(made.header);
    header[at] = (header[at] ?? 0) ^ 0x80;
    const work = () => attachmentOpener(made.known, header).open(0, made.chunks[0] ?? made.file);
    refused(t, work, `byte ${at}`);
  }
  for (const length of [0, 27, 29]) {
    refused(t, () => attachmentOpener(made.known, new Uint8Array(length)), `${length} bytes`);
  }
  const commit = randomBytes(32);
  refused(t, () => attachmentOpener({ ...made.known, commit }, made.header), 'commit');
  const fileKey = randomBytes(32);
  refused(t, () => attachmentOpener({ ...made.known, fileKey }, made.header), 'file key');
});

t.test('pitfall: a tag of four bytes is no tag, and any bit that changed is seen', async (t) => {
  const made = sealed(200);
  const [chunk = made.file] = made.chunks;
  for (const cut of [1, 4, 12, 15, 16])
    refused(t, () => open(made, 0, chunk.subarray(0, -cut)), `${cut}`);
  refused(t, () => open(made, 0, concat(chunk, Uint8Array.of(0))), 'a byte more');
  await fc.assert(
    fc.property(fc.nat(chunk.length * 8 - 1), (bit) => {
      const other = Uint8Array.from(chunk);
      other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return codeOf(() => open(made, 0, other)) === 'attachment_broken';
    }),
  );
});

t.test('padding that is not zeros is refused, though its sender sealed it', async (t) => {
  const made = sealed(1_000);
  const key = hkdf(made.header.subarray(5, 21), made.fileKey, 'PI/1/att', 32);
  const nonce = concat(made.header.subarray(21), Uint8Array.of(0, 0, 0, 0, 1));
  const padded = new Uint8Array(padme(1_000));
  t.equal(
    codeOf(() => open(made, 0, aesGcm.seal(key, nonce, padded, made.header))),
    'none',
  );
  padded[1_000] = 1;
  refused(t, () => open(made, 0, aesGcm.seal(key, nonce, padded, made.header)), 'hidden bytes');
});

t.test('a chunk that does not exist, or of another length, is the caller’s mistake', async (t) => {
  const made = sealed(100);
  for (const index of [-1, 1, 0.5, Number.NaN]) {
    t.equal(
      codeOf(() => open(made, index, made.chunks[0])),
      'malformed',
    );
    t.equal(
      codeOf(() => made.sealer.seal(index, made.file)),
      'malformed',
    );
  }
  t.equal(
    codeOf(() => made.sealer.seal(0, made.file.subarray(1))),
    'malformed',
  );
  t.equal(
    codeOf(() => attachmentSealer(randomBytes(31), 1, randomBytes(32))),
    'malformed',
  );
});
