/**
 * For tests: ends a process that no longer comes to its own timers, and says where it was. What only awaits
 * ends by timers of its own; a loop of promises lets none of them fire, so another thread looks.
 */
import { writeSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

export interface Watchdog extends AsyncDisposable {
  /** What is done from now on. */
  at(what: string): void;
}

export function watchdog(what: string, seconds: number): Watchdog {
  const worker = new Worker(new URL(import.meta.url), { workerData: { what, seconds } });
  worker.unref();
  return {
    at: (step) => worker.postMessage(step),
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  };
}

/** Function names of the main thread as it is, innermost first; it need not come to its event loop for it. */
async function stackOfMain(): Promise<string> {
  const session = new Session();
  session.connectToMainThread();
  const paused = new Promise<string>((resolve) =>
    session.once('Debugger.paused', ({ params }) =>
      resolve(params.callFrames.map(({ functionName }) => functionName || '?').join(' < ')),
    ),
  );
  await session.post('Debugger.enable');
  await session.post('Debugger.pause');
  return paused;
}

if (!isMainThread && parentPort) {
  const { what, seconds } = workerData as { what: string; seconds: number };
  let step = 'the beginning';
  parentPort.on('message', (message: string) => {
    step = message;
  });
  setTimeout(async () => {
    const nothing = new Promise<string>((resolve) => setTimeout(resolve, 3_000, 'unknown'));
    const stack = await Promise.race([stackOfMain().catch(String), nothing]);
    writeSync(
      1,
      `not ok - ${what}: no end and no timers after ${seconds} s, in ${step}; in ${stack}\n`,
    );
    process.kill(process.pid, 'SIGKILL');
  }, seconds * 1_000);
}
