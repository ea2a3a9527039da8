/**
 * Three people with three devices each, at real services, in bad weather: whatever they do and whatever dies
 * meanwhile, when all is quiet they agree. docs/decisions/034-tests.md
 *
 *     AGREEMENT_SEED=7 node client/agreement.test.ts       one script again
 *     AGREEMENT_RUNS=50 AGREEMENT_STEPS=200 …              a soak, from the seed on
 */
import { randomInt } from 'node:crypto';
import t from 'tap';
import { fromEnvironment } from '../services/kit/config.ts';
import { play } from './testing/script.ts';

const number = (name: string, otherwise: number): number =>
  Number(fromEnvironment(name)?.value ?? otherwise);
const first = number('AGREEMENT_SEED', randomInt(2 ** 32));
const steps = number('AGREEMENT_STEPS', 60);
const runs = number('AGREEMENT_RUNS', 1);

t.setTimeout(0);

for (let seed = first; seed < first + runs; seed++) {
  t.test(`M1, M6: all devices of all people agree when it is quiet (seed ${seed})`, async (t) => {
    const { script, wrong } = await play({ seed, steps });
    if (wrong.length > 0) for (const line of script) t.comment(line);
    t.same(wrong, [], `AGREEMENT_SEED=${seed} AGREEMENT_STEPS=${steps}`);
  });
}
