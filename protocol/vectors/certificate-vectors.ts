/** Vectors of sender certificates and of the keys that sign them. docs/protocol/dm.md §9 */
import { ed25519 } from '../crypto/primitives.ts';
import {
  issueCertificate,
  openCertificate,
  readSenderKey,
  senderKeyBytes,
  signSenderKey,
} from '../crypto/sender-certificate.ts';
import { concat } from '../wire/bytes.ts';
import { limits } from '../wire/limits.ts';
import { SampleAccount } from './sample-account.ts';
import { seededRandom } from './seeded.ts';
import { changed, type Refused, refused, refusedForms, type VectorFile } from './vector-file.ts';

const day = 20_780;

export const vectors: VectorFile = {
  name: 'certificates',
  document: 'docs/protocol/dm.md §9',
  make() {
    const random = seededRandom('certificates');
    const ann = new SampleAccount(random);
    const root = ed25519.generate(random);
    const pair = ed25519.generate(random);
    const next = ed25519.generate(random);
    const days = { nbfDay: day, expDay: day + 30 };
    const key = { kid: 1, public: pair.public, ...days };
    const bytes = signSenderKey(root, key);
    const nextBytes = signSenderKey(root, { kid: 2, public: next.public, ...days });
    const { account, device, dsk, dik } = ann.one;
    const keys = { aik: ann.aik.public, dsk: dsk.public, dik: dik.public };
    const sender = { name: 'ann', account, device, ...keys, listEpoch: 4 };
    const notBefore = day * 86_400 + 7_200;
    const chain = issueCertificate({ bytes, pair }, sender, notBefore);
    const expires = notBefore + limits.senderCertificateSeconds;
    const last = expires + (limits.envelopeDays + 1) * 86_400;
    const open = (seconds: number) => (each: Uint8Array) =>
      openCertificate(each, root.public, seconds * 1000);
    const at = (why: string, seconds: number, each = chain): Refused & { seconds: number } => {
      return { ...refused(why, each, open(seconds)), seconds };
    };
    const late = (day + 30) * 86_400;
    return {
      root,
      senderKey: { key, private: pair.private, bytes },
      senderKeysRefused: refusedForms(bytes, (each) => readSenderKey(each, root.public)),
      certificate: { sender, notBefore, expires, kid: 1, chain },
      good: [notBefore - 3600, notBefore, expires, last].filter((seconds) => open(seconds)(chain)),
      refused: [
        at('an hour and a second too early', notBefore - 3601),
        at('a second too late', last + 1),
        at('another kid', notBefore, concat(nextBytes, chain.subarray(senderKeyBytes))),
        at('an altered name', notBefore, changed(chain, senderKeyBytes + 2, 'b'.charCodeAt(0))),
        at('an altered signature', notBefore, changed(chain, -1, 0xff)),
        at(
          'a day on which the key signs none',
          late,
          issueCertificate({ bytes, pair }, sender, late),
        ),
        at('the last byte missing', notBefore, chain.subarray(0, -1)),
      ],
    };
  },
};
