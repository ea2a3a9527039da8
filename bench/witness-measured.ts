/** A program that is a witness, answers for it over the bus, and says what it cost. Started by witness-load.ts. */
import type { Bus } from '@island/services/kit/bus.ts';
import { witness } from '@island/services/witness/contract.ts';
import { testWitness } from '@island/services/witness/testing/witness.ts';
import { answerQuestions } from './measured-process.ts';

await using measured = await testWitness();

const handle = (bus: Bus): void =>
  bus.handle(witness, 'addCheckpoint', ({ body }) => measured.add(body));

await answerQuestions(witness, handle, {
  trust: (vkey) => measured.trust(String(vkey)),
  /** CPU seconds so far, of all threads. */
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
});
