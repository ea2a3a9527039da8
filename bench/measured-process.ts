/**
 * What is measured, in a process of its own: its CPU, memory, collector and event loop are nobody else's, and its
 * heap is what `core` gets. Whoever asks it does so as the gateway does, over NATS; what has to be told or known
 * beside that goes through the pipe between both processes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { units } from '@island/appliance/compose.ts';
import { type Bus, connectBus } from '@island/services/kit/bus.ts';
import { childEnvironment } from '@island/services/kit/config.ts';
import { type Contract, defineContract } from '@island/services/kit/contract.ts';
import { obtainIdentity } from '@island/services/kit/mtls.ts';
import { testNats } from '@island/services/kit/testing/engines.ts';
import { testLog, testPki } from '@island/services/kit/testing/pki.ts';

const asking = defineContract({ service: 'gateway', cache: false, calls: {}, events: {} });

export interface MeasuredProcess extends AsyncDisposable {
  /** The gateway's. */
  bus: Bus;
  /** One of the questions that the program answers beside the bus. */
  ask(question: string, about?: unknown): Promise<unknown>;
}

type Answer = { number: number; answer: unknown } | { number: number; error: string };

/** With a heap as `core` has it: appliance/plans.ts. */
function heapOfCore(): string[] {
  const heap = units.find(({ name }) => name === 'core')?.heap;
  if (heap === undefined) throw new Error('core has a heap');
  return [`--max-old-space-size=${heap.old}`, `--max-semi-space-size=${heap.young}`];
}

/** @param program a file that calls `answerQuestions` with the same contract; resolves once it does */
export async function startMeasured(
  program: string,
  args: readonly string[],
  contract: Contract,
): Promise<MeasuredProcess> {
  await using held = new AsyncDisposableStack();
  const pki = held.use(await testPki());
  const nats = held.use(await testNats(pki, [contract, asking]));
  const child = fork(program, [pki.sockets, String(nats.port), ...args], {
    execArgv: ['--expose-gc', ...heapOfCore()],
    env: childEnvironment({}),
    serialization: 'advanced',
  });
  held.defer(() => ended(child));
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const ready = Promise.withResolvers<unknown>();
  waiting.set(0, ready);
  child.on('message', (message: Answer) => {
    const asked = waiting.get(message.number);
    waiting.delete(message.number);
    if ('error' in message) asked?.reject(new Error(message.error));
    else asked?.resolve(message.answer);
  });
  child.once('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error(`${program} ended`));
  });
  await ready.promise;
  const identity = held.use(await pki.identity('gateway'));
  const bus = held.use(await connectBus({ port: nats.port, identity, log: testLog() }));
  const stack = held.move();
  let number = 0;
  return {
    bus,
    ask(question, about) {
      const asked = Promise.withResolvers<unknown>();
      waiting.set(++number, asked);
      child.send({ number, question, about });
      return asked.promise;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.disconnect();
  await gone;
}

/** What the program was started with, behind what it connects with. */
export const argsOfMeasured = (): string[] => process.argv.slice(4);

/** In the program that is measured: connects, says that it answers, and does so until nobody is there to ask. */
export async function answerQuestions(
  contract: Contract,
  handle: (bus: Bus) => void,
  questions: Readonly<Record<string, (about: unknown) => unknown>>,
): Promise<void> {
  const [sockets = '', port = ''] = process.argv.slice(2);
  const name = contract.service;
  await using identity = await obtainIdentity({ name, socket: `${sockets}/${name}.sock` });
  await using bus = await connectBus({ port: Number(port), identity, log: testLog() });
  handle(bus);
  await bus.settled();
  const over = once(process, 'disconnect');
  process.on('message', (asked: { number: number; question: string; about: unknown }) => {
    const { number, question, about } = asked;
    void Promise.resolve()
      .then(() => questions[question]?.(about))
      .then((answer) => say({ number, answer }))
      .catch((error: Error) => say({ number, error: error.stack ?? error.message }));
  });
  say({ number: 0, answer: undefined });
  await over;
}

const say = (answer: Answer): void => void process.send?.(answer);
