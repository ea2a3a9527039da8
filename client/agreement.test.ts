/**
 * Three people with three devices each, at real services, in bad weather: whatever they do and whatever dies
 * meanwhile, when all is quiet they agree. docs/decisions/034-tests.md
 *
 *     AGREEMENT_SEED=7 node client/agreement.test.ts       another script
 *     AGREEMENT_SEED=random …                              one that nobody has seen; its seed is in the name
 *     AGREEMENT_RUNS=50 AGREEMENT_STEPS=200 …              a soak, from the seed on
 */
import { randomInt } from 'node:crypto';
import t from 'tap';
import { fromEnvironment } from '../services/kit/config.ts';
import { play } from './testing/script.ts';

const setting = (name: string, otherwise: number): number => {
  const value = fromEnvironment(name)?.value;
  return value === 'random' ? randomInt(2 ** 32) : Number(value ?? otherwise);
};
const first = setting('AGREEMENT_SEED', 3);
const steps = setting('AGREEMENT_STEPS', 30);
const runs = setting('AGREEMENT_RUNS', 1);
/** For one run: four minutes, and a second for each step above 60. */
const seconds = setting('AGREEMENT_SECONDS', 240 + Math.max(0, steps - 60));

t.setTimeout(0);
let hung = false;

for (let seed = first; seed < first + runs && !hung; seed++) {
  const name = `M1, M6: all devices of all people agree when it is quiet (seed ${seed})`;
  await t.test(name, { timeout: 0 }, async (t) => {
    const { script, wrong, ...played } = await play({ seed, steps, seconds });
    hung = played.hung;
    if (wrong.length > 0) for (const line of script) t.comment(line);
    t.same(wrong, [], `AGREEMENT_SEED=${seed} AGREEMENT_STEPS=${steps}`);
  });
}
// What hangs holds its sockets.
if (hung) t.teardown(() => void setTimeout(() => process.exit(), 1_000));
t.end();
