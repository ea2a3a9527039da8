/** What runs inside one process: its services, loaded first and started when told. */
import { loadPrivateJson, loadProcessConfig } from '@island/services/kit/config.ts';
import type { Log } from '@island/services/kit/log.ts';
import type { ServiceName } from '@island/services/kit/names.ts';
import { runService } from '@island/services/kit/service.ts';
import { openServiceKeys, type ServiceKeys } from '@island/services/kit/service-keys.ts';
import { isProcess, services, units } from './compose.ts';
import type { ProcessKeyWire, ProcessMessage } from './ipc-messages.ts';

export interface LoadedProcess {
  /** Resolves when everything in it answers; disposing of the result stops it in reverse. */
  start(keys: ProcessKeyWire): Promise<AsyncDisposable>;
  /** Newer keys, while it runs. */
  renew(keys: ProcessKeyWire): void;
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
    let keys: ServiceKeys | undefined;
    return {
      start({ pkid = {} }) {
        keys = openServiceKeys(name, pkid);
        keys.onSettled((version) => tell({ settled: { service: name, version } }));
        return startPkid(config, { keys, log });
      },
      renew: ({ pkid = {} }) => keys?.add(pkid),
    };
  }
  const config = await loadProcessConfig(file);
  const mine = units.find((unit) => unit.name === name)?.services ?? [];
  const definitions = await Promise.all(mine.map((service) => services[service]()));
  const held: Partial<Record<ServiceName, ServiceKeys>> = {};
  return {
    renew(wires) {
      for (const service of mine) held[service]?.add(wires[service] ?? {});
    },
    async start(wires) {
      await using stack = new AsyncDisposableStack();
      for (const service of mine) {
        const wire = wires[service];
        if (wire === undefined) continue;
        const keys = openServiceKeys(service, wire);
        keys.onSettled((version) => tell({ settled: { service, version } }));
        held[service] = keys;
      }
      for (const definition of definitions) {
        const service = await runService(
          definition,
          { ...config, keys: held },
          {
            log,
            watch({ name: service, identity }) {
              const report = () =>
                tell({ certificate: { name: service, notAfter: identity.current().notAfter } });
              report();
              identity.onRenewed(report);
            },
          },
        );
        stack.use(service);
        held[definition.contract.service]?.idle();
      }
      const running = stack.move();
      return { [Symbol.asyncDispose]: () => running.disposeAsync() };
    },
  };
}
