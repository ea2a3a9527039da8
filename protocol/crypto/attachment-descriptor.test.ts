import t from 'tap';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import {
  type AttachmentDescriptor,
  decodeDescriptor,
  encodeDescriptor,
} from './attachment-descriptor.ts';
import { randomBytes } from './primitives.ts';
import { codeOf } from './testing/devices.ts';

const plain: AttachmentDescriptor = {
  ...{ blob: randomBytes(16), fileKey: randomBytes(32), size: 123_456, digest: randomBytes(32) },
  ...{ commit: randomBytes(32), deleteKey: randomBytes(16), expiresDay: 20_900 },
  ...{ mime: 'application/pdf', name: 'Größe — 大.pdf', preview: undefined },
};
const thumbnail = randomBytes(limits.thumbnailBytes);
const picture = {
  ...plain,
  mime: 'image/svg+xml',
  preview: { width: 4_000, height: 3_000, thumbnail },
};
const code = (change: Partial<AttachmentDescriptor>): string =>
  codeOf(() => encodeDescriptor({ ...plain, ...change }));

t.test('what is encoded is decoded', async (t) => {
  const most = 'a'.repeat(60);
  const largest = { ...picture, mime: `${most}/${most}`, name: 'n'.repeat(limits.fileNameBytes) };
  for (const each of [plain, picture, largest, { ...plain, name: '', size: 0 }]) {
    t.same(decodeDescriptor(encodeDescriptor(each)), each);
  }
});

t.test(
  'pitfall: a name that leads out of its folder, hides its end, or ends a line, is refused',
  async (t) => {
    const wrong = [
      '..',
      '.',
      '../x',
      'a/b',
      'a\\b',
      'a\0',
      'a\nb',
      '\x7f',
      'gpj\u202eexe',
      '\u2066x',
    ];
    for (const name of wrong) t.equal(code({ name }), 'malformed', JSON.stringify(name));
    for (const name of ['.profile', 'a..b', 'a b.txt', 'ä']) t.equal(code({ name }), 'none', name);
    t.equal(code({ name: 'ä'.repeat(128) }), 'too_large');
  },
);

t.test('a type is two lower-case words', async (t) => {
  for (const mime of ['', 'text', 'Text/plain', 'a/b/c', 'text/plain; charset=utf-8', 'text/\0'])
    t.equal(code({ mime }), 'malformed', JSON.stringify(mime));
  t.equal(code({ mime: `a/${'b'.repeat(126)}` }), 'too_large');
});

t.test('a stored size that does not follow from the size is refused', async (t) => {
  const bytes = encodeDescriptor(plain);
  bytes[2 + 16 + 32 + 8 + 7] = (bytes[2 + 16 + 32 + 8 + 7] ?? 0) ^ 1;
  t.equal(
    codeOf(() => decodeDescriptor(bytes)),
    'malformed',
  );
  t.equal(code({ size: limits.blobBytes }), 'too_large');
});

t.test('a preview has a size and something to see', async (t) => {
  const { preview } = picture;
  t.equal(code({ preview: { ...preview, width: 0 } }), 'malformed');
  t.equal(code({ preview: { ...preview, height: 0 } }), 'malformed');
  t.equal(code({ preview: { ...preview, thumbnail: new Uint8Array(0) } }), 'malformed');
  t.equal(code({ preview: { ...preview, thumbnail: randomBytes(3_073) } }), 'too_large');
  const bytes = encodeDescriptor(plain);
  bytes[bytes.length - 1] = 2;
  t.equal(
    codeOf(() => decodeDescriptor(bytes)),
    'malformed',
  );
});

t.test('fuzz: the descriptor decoder throws faults only', async (t) => {
  const samples = [encodeDescriptor(plain), encodeDescriptor(picture)];
  await fuzzDecoder(t, { decode: decodeDescriptor, encode: encodeDescriptor, samples });
});
