/**
 * The only main() of our processes: `node appliance/run.ts PROCESS CONFIG`. docs/decisions/031-supervisor.md
 *
 * Under the supervisor it loads its code at once, starts when told over the IPC channel, tells when
 * its services answer, and ends in order on SIGTERM or when the supervisor is gone.
 */
import { type Log, openLog } from '@island/services/kit/log.ts';
import type { ProcessKeyWire, ProcessMessage, SupervisorMessage } from './ipc-messages.ts';

const [name = '', file = ''] = process.argv.slice(2);
/** Milliseconds for an orderly end; then the process ends as it is. */
const patience = 8000;

const log = openLog({ process: name });
const stop = Promise.withResolvers<string>();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => stop.resolve(signal));
}
process.once('disconnect', () => stop.resolve('supervisor_gone'));
process.once('uncaughtException', (error) => {
  log.error('process_failed', error);
  process.exit(70);
});

const tell = (message: ProcessMessage): void => {
  if (process.connected) process.send?.(message);
};

/** Resolves with the process's keys when the supervisor says so; at once without one. */
function mayStart(renewed: (keys: ProcessKeyWire) => void): Promise<ProcessKeyWire> {
  if (process.send === undefined) return Promise.resolve({});
  const { promise, resolve } = Promise.withResolvers<ProcessKeyWire>();
  process.on('message', (message: SupervisorMessage) => {
    if (message === 'ping') tell({ pong: true });
    else if ('start' in message) resolve(message.start);
    else renewed(message.keys);
  });
  return promise;
}

async function main(): Promise<void> {
  const renewal: { take?: (keys: ProcessKeyWire) => void } = {};
  const started = mayStart((keys) => renewal.take?.(keys));
  const { loadProcess } = await import('./process.ts');
  const running = await loadProcess(name, file, log, tell);
  renewal.take = running.renew;
  // Told to end before it was told to start: it has no keys, and starts nothing.
  const keys = await Promise.race([started, stop.promise.then(() => undefined)]);
  if (keys === undefined) return;
  const services = running.start(keys);
  const early = await Promise.race([services.then(() => undefined), stop.promise]);
  if (early === undefined) tell({ ready: true });
  const reason = await stop.promise;
  log.info('process_stopping', { reason });
  setTimeout(() => process.exit(75), patience).unref();
  await (await services)[Symbol.asyncDispose]();
}

await main().then(
  () => finish(log, 0),
  (error: unknown) => {
    log.error('process_not_started', error);
    tell({ failed: error instanceof Error ? error.message : 'It could not start.' });
    finish(log, 1);
  },
);

/** Nothing of ours keeps the process alive any more; what a library left open must not either. */
function finish(log: Log, code: number): void {
  log.info('process_stopped', { code });
  if (process.connected) process.disconnect();
  process.exit(code);
}
