/** Small pictures: made of pictures, of nothing else, and never at the price of the program. */

import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { encodeDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { createJimp } from '@jimp/core';
import jpeg from '@jimp/js-jpeg';
import png from '@jimp/js-png';
import t from 'tap';
import { makePreview } from './preview.ts';
import { bytesSource } from './source.ts';

const Jimp = createJimp({ formats: [jpeg, png] });

/** Noise compresses worst. */
function noise(width: number, height: number) {
  const picture = new Jimp({ width, height });
  picture.bitmap.data.set(randomBytes(width * height * 4));
  return picture;
}

const preview = (bytes: Uint8Array, options?: Parameters<typeof makePreview>[1]) =>
  makePreview(bytesSource(bytes), options);

/** A PNG with the size that it is said to have, and this as its data. */
function pngOf(width: number, height: number, data: Uint8Array): Buffer {
  const chunk = (type: string, body: Uint8Array): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, Buffer.from(type), body, Buffer.alloc(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([8, 6, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(data)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

t.test('a picture becomes a small one that fits into a message', async (t) => {
  for (const [kind, width, height] of [
    ['image/jpeg', 900, 600],
    ['image/png', 600, 900],
    ['image/png', 1, 1],
    ['image/jpeg', 3000, 2],
  ] as const) {
    const made = await preview(await noise(width, height).getBuffer(kind));
    t.match(made, { width, height });
    const { thumbnail } = made ?? { thumbnail: new Uint8Array(0) };
    t.ok(thumbnail.length > 0 && thumbnail.length <= limits.thumbnailBytes, `${thumbnail.length}`);
    t.ok(Math.max((await Jimp.fromBuffer(Buffer.from(thumbnail))).width) <= 128);
    const zeros = (length: number) => new Uint8Array(length);
    const about = { blob: zeros(16), fileKey: zeros(32), size: 1, digest: zeros(32) };
    const rest = { commit: zeros(32), deleteKey: zeros(16), expiresDay: 1, mime: kind, name: 'a' };
    t.ok(encodeDescriptor({ ...about, ...rest, preview: made }).length > 0);
  }
});

t.test('what is no picture has none', async (t) => {
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('GIF89a, which we leave alone'),
    randomBytes(5000),
    Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), randomBytes(5000)]),
    (await noise(50, 50).getBuffer('image/jpeg')).subarray(0, 700),
    pngOf(50, 50, randomBytes(10)),
  ])
    t.equal(await preview(bytes), undefined, bytes.subarray(0, 6).toString('latin1'));
});

t.test('a picture that claims to be enormous is not decoded', async (t) => {
  t.equal(await preview(pngOf(60_000, 60_000, new Uint8Array(10))), undefined);
  const claims = Buffer.from(await noise(16, 16).getBuffer('image/jpeg'));
  const at = claims.indexOf(Buffer.from([0xff, 0xc0]));
  claims.writeUInt16BE(60_000, at + 5);
  claims.writeUInt16BE(60_000, at + 7);
  t.equal(await preview(claims), undefined);
});

t.test('data that unpacks to more than the picture has room for ends in the worker', async (t) => {
  const bomb = pngOf(10, 10, new Uint8Array(64 * 1024 * 1024));
  t.ok(bomb.length < 100_000);
  await t.resolves(preview(bomb));
});

t.test('who takes too long gets none, and who gives up is told so', async (t) => {
  const large = await noise(2000, 2000).getBuffer('image/jpeg');
  t.equal(await preview(large, { milliseconds: 1 }), undefined);
  const stop = new AbortController();
  const making = preview(large, { signal: stop.signal });
  stop.abort(new Error('given up'));
  await t.rejects(making, { message: 'given up' });
});
