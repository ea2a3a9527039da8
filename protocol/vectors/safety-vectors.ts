/** Vectors of safety numbers and the codes that are scanned. docs/protocol/devices.md §9 */
import { ed25519 } from '../crypto/primitives.ts';
import {
  compareSafetyCode,
  decodeSafetyCode,
  encodeSafetyCode,
  safetyNumber,
} from '../crypto/safety-number.ts';
import { accountId } from '../wire/ids.ts';
import { hex } from '../wire/text.ts';
import { seededRandom } from './seeded.ts';
import { refusedForms, type VectorFile } from './vector-file.ts';

export const vectors: VectorFile = {
  name: 'safety',
  document: 'docs/protocol/devices.md §9',
  make() {
    const random = seededRandom('safety');
    const someone = () => {
      return { account: accountId(hex(random(16))), aik: ed25519.generate(random).public };
    };
    const [ann, ben, eve] = [someone(), someone(), someone()];
    const shown = encodeSafetyCode(ben, ann);
    const scan = (what: string, code: Uint8Array) => {
      return { what, code, says: compareSafetyCode(code, ann, ben) };
    };
    return {
      numbers: [
        { sides: [ann, ben], number: safetyNumber(ann, ben).join(' ') },
        { sides: [ann, eve], number: safetyNumber(ann, eve).join(' ') },
        { sides: [ben, eve], number: safetyNumber(ben, eve).join(' ') },
      ],
      scannedByFirst: [
        scan('the second side’s', shown),
        scan('of the second with a third', encodeSafetyCode(ben, eve)),
        scan('with another key of the second', encodeSafetyCode({ ...ben, aik: eve.aik }, ann)),
        scan('with another key of the first', encodeSafetyCode(ben, { ...ann, aik: eve.aik })),
      ],
      codesRefused: refusedForms(shown, decodeSafetyCode),
    };
  },
};
