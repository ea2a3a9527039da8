/** Makes a picture small, apart from everything else: what the decoder does with a hostile file stays here, and ends with it. */
import { parentPort } from 'node:worker_threads';
import { limits } from '@island/protocol/wire/limits.ts';
import { createJimp } from '@jimp/core';
import jpeg from '@jimp/js-jpeg';
import png from '@jimp/js-png';
import { methods as resize } from '@jimp/plugin-resize';

const Jimp = createJimp({ formats: [jpeg, png], plugins: [resize] });

/** Of the decoder of JPEG; that of PNG is bounded by what the header says. */
const bounds = { maxResolutionInMP: 40, maxMemoryUsageInMB: 512 };
/** Pixels of the longer side, with the quality that is tried. */
const tries = [
  [128, 60],
  [112, 50],
  [96, 45],
  [80, 35],
  [64, 30],
  [40, 25],
  [24, 20],
] as const;

async function small(bytes: Uint8Array) {
  const picture = await Jimp.fromBuffer(Buffer.from(bytes), { 'image/jpeg': bounds });
  const { width, height } = picture;
  for (const [side, quality] of tries) {
    const scale = Math.min(1, side / Math.max(width, height));
    const [w, h] = [width, height].map((each) => Math.max(1, Math.round(each * scale)));
    const made = picture.clone().resize({ w: w ?? 1, h: h ?? 1 });
    const thumbnail = await made.getBuffer('image/jpeg', { quality });
    if (thumbnail.length <= limits.thumbnailBytes)
      return { width, height, thumbnail: new Uint8Array(thumbnail) };
  }
  return undefined;
}

parentPort?.once('message', (bytes: Uint8Array) => {
  small(bytes).then(
    (preview) => parentPort?.postMessage(preview),
    () => parentPort?.postMessage(undefined),
  );
});
