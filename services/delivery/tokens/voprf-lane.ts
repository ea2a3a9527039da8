/**
 * A thread that does the arithmetic of tokens, so that it holds up nobody else in the process: a batch of
 * 128 takes some 50 ms, one token 0.2 ms. Started when it is first needed. docs/decisions/063-delivery-tokens.md
 */
import { Worker } from 'node:worker_threads';
import type { TokenAnswer } from '@island/protocol/crypto/delivery-token.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Token, TokenClass } from '@island/protocol/wire/token.ts';
import type { Log } from '../../kit/log.ts';
import type { Done, Job } from './voprf-thread.ts';

export interface VoprfLane extends AsyncDisposable {
  /** How many of the tokens, all of this class and day, are ours: before the first that is not. */
  verify(kind: TokenClass, day: number, tokens: readonly Token[]): Promise<number>;
  /** @throws not_canonical, malformed */
  evaluate(kind: TokenClass, day: number, blinded: Uint8Array): Promise<TokenAnswer>;
}

interface Waiting {
  resolve(done: Done): void;
  reject(error: unknown): void;
}

const thread = new URL('./voprf-thread.ts', import.meta.url);
/** Jobs that wait in one lane; more are refused. */
const mostWaiting = 4096;
/** Messages on their way to the thread, and tokens in one: to wake it for each costs half as much as a token. */
const mostSent = 2;
const together = 16;

export function openVoprfLane(seed: Uint8Array, log: Log): VoprfLane {
  const waiting = new Map<number, Waiting>();
  let queue: Job[] = [];
  let sent = 0;
  let worker: Worker | undefined;
  let last = 0;
  let closed = false;

  function start(): Worker {
    const started = new Worker(thread, { workerData: { seed } });
    started.on('message', (all: readonly Done[]) => {
      for (const done of all) {
        waiting.get(done.id)?.resolve(done);
        waiting.delete(done.id);
      }
      sent -= 1;
      send();
      if (waiting.size === 0) started.unref();
    });
    started.on('error', (error) => log.error('token_thread_failed', error));
    // Whoever waited tries again, with the next thread.
    started.on('exit', () => {
      if (worker === started) worker = undefined;
      giveUp();
    });
    return started;
  }

  function giveUp(): void {
    queue = [];
    sent = 0;
    for (const { reject } of waiting.values()) reject(new Fault('unavailable'));
    waiting.clear();
  }

  function send(): void {
    while (sent < mostSent && queue.length > 0 && !closed) {
      worker ??= start();
      worker.ref();
      worker.postMessage(taken(queue));
      sent += 1;
    }
  }

  async function run(kind: TokenClass, day: number, work: Job['work']): Promise<Done> {
    if (closed || waiting.size >= mostWaiting) throw new Fault('unavailable');
    const { promise, resolve, reject } = Promise.withResolvers<Done>();
    const id = ++last;
    waiting.set(id, { resolve, reject });
    queue.push({ id, class: kind, day, work });
    // Those who ask in the same turn go in one message.
    queueMicrotask(send);
    const done = await promise;
    if ('code' in done) throw new Fault(done.code);
    return done;
  }

  return {
    async verify(kind, day, tokens) {
      const work = { tokens: tokens.map(({ input, output }) => ({ input, output })) };
      const done = await run(kind, day, work);
      return 'good' in done ? done.good : 0;
    },
    async evaluate(kind, day, blinded) {
      const done = await run(kind, day, { blinded });
      if (!('proof' in done)) throw new TypeError('an answer of another kind');
      return { evaluated: done.evaluated, proof: done.proof };
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await worker?.terminate();
      giveUp();
    },
  };
}

/** Takes what goes in one message: at least one job, however large. */
function taken(queue: Job[]): Job[] {
  let tokens = 0;
  const end = queue.findIndex(({ work }) => {
    if (tokens >= together) return true;
    tokens += 'blinded' in work ? work.blinded.length / 32 : work.tokens.length;
    return false;
  });
  return queue.splice(0, end === -1 ? queue.length : end);
}
