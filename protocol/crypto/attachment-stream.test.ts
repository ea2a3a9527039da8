import t, { type Test } from 'tap';
import { concat } from '../wire/bytes.ts';
import { hex } from '../wire/text.ts';
import { attachmentChunk, attachmentSealer, storedSize } from './attachment.ts';
import type { AttachmentDescriptor } from './attachment-descriptor.ts';
import { openedAttachment, sealedFile } from './attachment-stream.ts';
import { CryptoFault } from './crypto-fault.ts';
import { randomBytes, sha256 } from './primitives.ts';

async function all(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(Uint8Array.from(part));
  return concat(...parts);
}

/** These bytes in pieces of `length`. */
async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

/** All of it from `from` on, in buffers of `length`. */
async function sealed(
  ...[sealer, size, read, from = 0, length = 70_000]: [...Parameters<typeof sealedFile>, number?]
): Promise<Uint8Array> {
  const file = sealedFile(sealer, size, read, from);
  const parts: Uint8Array[] = [];
  for (;;) {
    const into = new Uint8Array(length);
    const filled = await file.fill(into);
    parts.push(into.subarray(0, filled));
    if (filled < length) return concat(...parts);
  }
}

async function sent(size: number) {
  const file = randomBytes(size);
  const fileKey = randomBytes(32);
  const sealer = attachmentSealer(fileKey, size, sha256(file));
  const read = async (start: number, end: number) => file.subarray(start, end);
  const stored = await sealed(sealer, size, read);
  const descriptor: AttachmentDescriptor = {
    ...{ blob: randomBytes(16), fileKey, size, digest: sha256(stored), commit: sealer.commit },
    ...{
      deleteKey: randomBytes(16),
      expiresDay: 1,
      mime: 'text/plain',
      name: '',
      preview: undefined,
    },
  };
  return { file, sealer, read, stored, descriptor };
}

async function refused(t: Test, work: Promise<unknown>, why: string): Promise<void> {
  const error = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  t.equal(error instanceof CryptoFault && error.code, 'attachment_broken', why);
}

t.test('what is sealed is opened, in pieces of any length', async (t) => {
  for (const size of [0, 1, attachmentChunk, attachmentChunk + 1, 300_000]) {
    const { file, stored, descriptor } = await sent(size);
    t.equal(stored.length, storedSize(size));
    for (const length of [1_000, 65_536, 65_552, 10_000_000]) {
      const opened = await all(openedAttachment(descriptor, pieces(stored, length)));
      t.equal(hex(sha256(opened)), hex(sha256(file)), `${size} in ${length}`);
    }
  }
});

t.test('an upload that broke off goes on anywhere with the same bytes', async (t) => {
  const size = 200_000;
  const { stored, sealer, read } = await sent(size);
  for (const from of [0, 1, 28, 29, 65_579, 65_580, 65_581, 150_000, stored.length]) {
    for (const length of [999, 65_552, 65_580, 1_000_000]) {
      const rest = await sealed(sealer, size, read, from, length);
      t.equal(hex(sha256(rest)), hex(sha256(stored.subarray(from))), `${from} by ${length}`);
    }
  }
  await t.rejects(sealed(sealer, size, read, stored.length + 1), {
    code: 'malformed',
  });
});

t.test('a file that has shrunk since it was looked at is not sealed as another', async (t) => {
  const { sealer, file } = await sent(100_000);
  const read = async (start: number, end: number) => file.subarray(start, Math.min(end, 90_000));
  await t.rejects(sealed(sealer, 100_000, read), { code: 'malformed' });
});

t.test('pitfall: truncation, a byte more, and any order of chunks are refused', async (t) => {
  const { stored, descriptor } = await sent(3 * attachmentChunk);
  const open = (bytes: Uint8Array) => all(openedAttachment(descriptor, pieces(bytes, 50_000)));
  const chunk = attachmentChunk + 16;
  const ends = [0, 27, 28, 28 + chunk, 28 + 2 * chunk, stored.length - 1];
  for (const end of ends) await refused(t, open(stored.subarray(0, end)), `cut at ${end}`);
  await refused(t, open(concat(stored, Uint8Array.of(0))), 'a byte more');
  const [a, b] = [stored.subarray(28, 28 + chunk), stored.subarray(28 + chunk, 28 + 2 * chunk)];
  await refused(
    t,
    open(concat(stored.subarray(0, 28), b, a, stored.subarray(28 + 2 * chunk))),
    'swap',
  );
});

t.test('pitfall: no byte of a chunk that is not authentic is given out', async (t) => {
  const { file, stored, descriptor } = await sent(3 * attachmentChunk);
  const other = Uint8Array.from(stored);
  const at = 28 + 2 * (attachmentChunk + 16) - 1;
  other[at] = (other[at] ?? 0) ^ 1;
  const got: Uint8Array[] = [];
  const work = (async () => {
    for await (const part of openedAttachment(descriptor, pieces(other, 1_000))) got.push(part);
  })();
  await refused(t, work, 'the second chunk');
  t.equal(hex(sha256(concat(...got))), hex(sha256(file.subarray(0, attachmentChunk))));
});

t.test('a descriptor with the digest of other bytes does not end well', async (t) => {
  const { stored, descriptor } = await sent(1_000);
  const other = { ...descriptor, digest: randomBytes(32) };
  await refused(t, all(openedAttachment(other, pieces(stored, 100))), 'digest');
});
