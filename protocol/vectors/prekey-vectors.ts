/** Vectors of prekeys. docs/protocol/prekeys.md */
import { merklePath, merkleRoot } from '../crypto/merkle.ts';
import {
  makeBatch,
  makeLastResort,
  makeSignedPrekey,
  oneTimeOf,
  openBatch,
  openLastResort,
  openOneTime,
  openSignedPrekey,
} from '../crypto/prekeys.ts';
import { ed25519 } from '../crypto/primitives.ts';
import { concat } from '../wire/bytes.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, refusedForms, type VectorFile } from './vector-file.ts';

const day = 20_780;

export const vectors: VectorFile = {
  name: 'prekeys',
  document: 'docs/protocol/prekeys.md',
  make() {
    const random = seededRandom('prekeys');
    const dsk = ed25519.fromSeed(random(32));
    const signed = makeSignedPrekey(dsk, 7, day, random);
    const lastResort = makeLastResort(dsk, 8, day, random);
    const batch = makeBatch(dsk, 41, day, random, 3);
    const opened = openBatch(batch.public, dsk.public);
    const oneTime = oneTimeOf(opened, 2);
    const neighbour = oneTimeOf(opened, 1);

    const openSigned = (bytes: Uint8Array) => openSignedPrekey(bytes, dsk.public);
    const openLast = (bytes: Uint8Array) => openLastResort(bytes, dsk.public);
    const openAll = (bytes: Uint8Array) => openBatch(bytes, dsk.public);
    const openOne = (bytes: Uint8Array) => openOneTime(bytes, dsk.public);
    const keysOf = (bytes: Uint8Array) => bytes.subarray(16, 16 + 1216);
    return {
      dsk: { seed: dsk.private, public: dsk.public },
      signedPrekey: {
        private: signed.pair.private,
        decoded: openSigned(signed.public),
        bytes: signed.public,
      },
      signedPrekeyRefused: [
        ...refusedForms(signed.public, openSigned),
        refused('another id', changed(signed.public, 5, 8), openSigned),
        refused('an all-zero key', changed(signed.public, 14, ...new Uint8Array(32)), openSigned),
        refused('id 0', changed(signed.public, 5, 0), openSigned),
        refused('a life above the limit', changed(signed.public, 11, 1), openSigned),
      ],
      lastResort: {
        seed: lastResort.pair.private,
        decoded: openLast(lastResort.public),
        bytes: lastResort.public,
      },
      lastResortRefused: [
        ...refusedForms(lastResort.public, openLast),
        refused(
          'a coefficient that is not reduced',
          changed(lastResort.public, 14, 0xff, 0xff),
          openLast,
        ),
        refused('a signed prekey', signed.public, openLast),
      ],
      batch: {
        pairs: batch.pairs.map(({ id, dh, kem }) => ({ id, dh: dh.private, kemSeed: kem.private })),
        root: merkleRoot(opened.tree),
        signature: opened.signature,
        bytes: batch.public,
      },
      batchRefused: refusedForms(batch.public, openAll),
      oneTime: {
        index: 2,
        decoded: openOne(oneTime),
        path: merklePath(opened.tree, 2),
        bytes: oneTime,
      },
      oneTimeRefused: [
        ...refusedForms(oneTime, openOne),
        refused(
          'the keys of a neighbour',
          concat(oneTime.subarray(0, 16), keysOf(neighbour), oneTime.subarray(1232)),
          openOne,
        ),
        refused('another index', changed(oneTime, 15, 0), openOne),
        refused('an index beyond the count', changed(oneTime, 15, 3), openOne),
      ],
    };
  },
};
