/** Vectors of attachments: what is stored of small and large files, and descriptors. docs/protocol/attachments.md */
import {
  attachmentOpener,
  attachmentSealer,
  fileRange,
  padme,
  storedSize,
} from '../crypto/attachment.ts';
import { decodeDescriptor, encodeDescriptor } from '../crypto/attachment-descriptor.ts';
import { sha256, sha256Of } from '../crypto/primitives.ts';
import { concat } from '../wire/bytes.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, refusedForms, type VectorFile } from './vector-file.ts';

const sizes = [0, 1, 2, 9, 100, 1_000, 65_535, 65_536, 65_537, 1_000_000, 500_000_000];

export const vectors: VectorFile = {
  name: 'attachments',
  document: 'docs/protocol/attachments.md',
  make() {
    const random = seededRandom('attachments');

    /** A file of `size` times the byte 0x61, sealed whole. */
    function sealed(size: number) {
      const file = new Uint8Array(size).fill(0x61);
      const fileKey = random(32);
      const sealer = attachmentSealer(fileKey, size, sha256(file));
      const chunks = Array.from({ length: sealer.chunks }, (_, i) => {
        const { start, end } = fileRange(size, i);
        return sealer.seal(i, file.subarray(start, end));
      });
      const { header, commit } = sealer;
      return { file, size, fileKey, header, commit, chunks, digest: sha256Of(header, ...chunks) };
    }

    const small = [0, 1, 100].map(sealed);
    const large = sealed(150_000);
    const [, one, hundred] = small;
    if (!one || !hundred) throw new Error('no file');
    const open =
      (file: typeof one, at: number, header = file.header) =>
      (bytes: Uint8Array) =>
        attachmentOpener(file, header).open(at, bytes);
    const [sealedHundred] = hundred.chunks;
    if (!sealedHundred) throw new Error('no chunk');
    const broken = changed(hundred.header, 10, (hundred.header[10] ?? 0) ^ 1);

    const { size, fileKey, commit, digest } = hundred;
    const about = { blob: random(16), fileKey, size, digest, commit, deleteKey: random(16) };
    const claims = { expiresDay: 20_870, mime: 'image/webp', name: 'Möwe.webp' };
    const preview = { width: 640, height: 480, thumbnail: random(40) };
    const plain = { ...about, ...claims, preview: undefined };
    const bytes = encodeDescriptor(plain);
    const named = bytes.length - 1 - 'Möwe.webp'.length - 1;
    return {
      sizes: sizes.map((each) => {
        return { size: each, padded: padme(each), stored: storedSize(each) };
      }),
      files: small.map(({ file: _, chunks, ...file }) => {
        return { ...file, stored: concat(file.header, ...chunks) };
      }),
      largeFile: {
        ...{ size: large.size, fileKey: large.fileKey, header: large.header },
        ...{ commit: large.commit, digest: large.digest },
        chunks: large.chunks.map((chunk) => {
          return { length: chunk.length, digest: sha256(chunk), tag: chunk.subarray(-16) };
        }),
      },
      chunksRefused: [
        refused('with an altered header', sealedHundred, open(hundred, 0, broken)),
        refused('of another file', sealedHundred, open(one, 0)),
        refused('altered', changed(sealedHundred, 0, 0), open(hundred, 0)),
        refused('with a tag of 4 bytes', sealedHundred.subarray(0, -12), open(hundred, 0)),
        refused('with a byte more', concat(sealedHundred, Uint8Array.of(0)), open(hundred, 0)),
      ],
      descriptors: [plain, { ...plain, preview }].map((descriptor) => {
        return { descriptor, bytes: encodeDescriptor(descriptor) };
      }),
      descriptorsRefused: [
        ...refusedForms(bytes, decodeDescriptor),
        refused('a stored size that does not follow', changed(bytes, 65, 0), decodeDescriptor),
        refused('a name with a slash', changed(bytes, named, 0x2f), decodeDescriptor),
        refused('a preview that is there twice', changed(bytes, -1, 2), decodeDescriptor),
      ],
    };
  },
};
