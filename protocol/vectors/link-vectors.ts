/** Vectors of linking a device: one whole conversation. docs/protocol/linking.md */
import {
  answerLink,
  beginLink,
  compareLink,
  giveLink,
  makeOffer,
  refuseLink,
  revealLink,
  takeLink,
} from '../crypto/device-link.ts';
import { ed25519 } from '../crypto/primitives.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, refusedForms, type VectorFile } from './vector-file.ts';

export const vectors: VectorFile = {
  name: 'linking',
  document: 'docs/protocol/linking.md',
  make() {
    const random = seededRandom('linking');
    const offer = makeOffer(random);
    const one = beginLink(offer, random);
    const two = answerLink(offer, one.message, random);
    const three = revealLink(one.side, two.message);
    const old = compareLink(two.side, three.message);
    const { ark, aik, ...hashes } = {
      ark: random(32),
      arkEpoch: 3,
      aik: ed25519.fromSeed(random(32)),
      listHash: random(32),
      recordHash: random(32),
      head: { seq: 77, hash: random(32) },
    };
    const four = giveLink(old, { ark, aik, ...hashes });
    const stranger = beginLink(offer, random);
    const side = ({ own }: typeof one.side) => ({
      private: own.pair.private,
      public: own.pair.public,
      number: own.number,
    });
    return {
      offer,
      newDevice: side(one.side),
      oldDevice: side(two.side),
      messages: [one.message, two.message, three.message, four],
      digits: old.digits,
      gift: { ark, aikSeed: aik.private, ...hashes },
      refusal: refuseLink(old),
      stepsRefused: [
        ...refusedForms(four, (message) => takeLink(three.agreed, message)),
        refused('step 2 in place of step 1', two.message, (message) => answerLink(offer, message)),
        refused('step 2 named step 1', changed(two.message, 2, 1), (message) =>
          answerLink(offer, message),
        ),
        refused(
          'a key that was not committed to',
          revealLink(stranger.side, two.message).message,
          (message) => compareLink(two.side, message),
        ),
      ],
    };
  },
};
