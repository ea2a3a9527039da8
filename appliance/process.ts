/** What runs inside one process: its services, loaded first and started when told. */
import { loadPrivateJson, loadProcessConfig } from '@island/services/kit/config.ts';
import type { Log } from '@island/services/kit/log.ts';
import { runService } from '@island/services/kit/service.ts';
import { isProcess, services, units } from './compose.ts';
import type { ProcessMessage } from './ipc-messages.ts';

export interface LoadedProcess {
  /** Resolves when everything in it answers; disposing of the result stops it in reverse. */
  start(): Promise<AsyncDisposable>;
}

export async function loadProcess(
  name: string,
  file: string,
  log: Log,
  tell: (message: ProcessMessage) => void,
): Promise<LoadedProcess> {
  if (!isProcess(name)) throw new Error(`There is no process "${name}".`);
  if (name === 'pkid') {
    const { startPkid } = await import('@island/services/pkid/service.ts');
    const config = await loadPrivateJson(file);
    return { start: () => startPkid(config, { log }) };
  }
  const config = await loadProcessConfig(file);
  const mine = units.find((unit) => unit.name === name)?.services ?? [];
  const definitions = await Promise.all(mine.map((service) => services[service]()));
  return {
    async start() {
      await using held = new AsyncDisposableStack();
      for (const definition of definitions) {
        const service = await runService(definition, config, {
          log,
          watch({ name: service, identity }) {
            const report = () =>
              tell({ certificate: { name: service, notAfter: identity.current().notAfter } });
            report();
            identity.onRenewed(report);
          },
        });
        held.use(service);
      }
      const stack = held.move();
      return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
    },
  };
}
