/** Keys that are the same in every test. */
import { ed25519, mldsa44 } from '../../crypto/primitives.ts';
import { seededRandom } from '../../vectors/seeded.ts';
import { type Cosigner, ed25519Cosigner, mldsaCosigner } from '../cosignature.ts';
import { type NoteSigner, noteSigner } from '../note.ts';

export const logNamed = (name: string): NoteSigner =>
  noteSigner(name, ed25519.fromSeed(seededRandom(`log ${name}`)(32)));

export const witnessNamed = (name: string): Cosigner =>
  ed25519Cosigner(name, ed25519.fromSeed(seededRandom(`witness ${name}`)(32)));

/** Signs the same way each time. */
export const mldsaWitnessNamed = (name: string): Cosigner =>
  mldsaCosigner(
    name,
    mldsa44.fromSeed(seededRandom(`mldsa ${name}`)(32)),
    (length) => new Uint8Array(length),
  );
