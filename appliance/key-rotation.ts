/**
 * Which versions of the master key are in use, and their change: a new version is written, every service wraps
 * its data keys under it, and when all have said so the former one is retired. Whatever ends in between, the
 * next start goes on from what the file and the databases say. docs/protocol/at-rest.md §5
 */
import {
  addVersion,
  keysOf,
  type MasterKey,
  newestOf,
  retireFormer,
} from '@island/provisioning/master-key.ts';
import { Stated } from '@island/provisioning/stated.ts';
import type { Log } from '@island/services/kit/log.ts';
import type { KeyHolder } from './compose.ts';
import type { ProcessKeyWire } from './ipc-messages.ts';

export interface RotationStatus {
  /** The newest version. */
  version: number;
  /** Services that are not wholly under it yet, or have not said so since they started. */
  waiting: KeyHolder[];
  /** The former versions are gone. */
  done: boolean;
}

export interface KeyRotation {
  /** What a process with these services is handed. */
  wire(services: readonly KeyHolder[]): ProcessKeyWire;
  /** A service says: all that it keeps is wrapped under this version. */
  settled(service: KeyHolder, version: number): void;
  /** Adds a version; the services are told. @throws Stated while the last rotation is under way */
  begin(): Promise<RotationStatus>;
  status(): RotationStatus;
}

export function openKeyRotation(parts: {
  master: MasterKey;
  services: readonly KeyHolder[];
  log: Log;
  /** Hands every running process its keys anew. */
  tell: () => void;
}): KeyRotation {
  const { services, log, tell } = parts;
  let { master } = parts;
  const at = new Map<KeyHolder, number>();
  let last: Promise<unknown> = Promise.resolve();

  /** The file is changed by one at a time. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  }

  const waiting = (): KeyHolder[] =>
    services.filter((service) => at.get(service) !== newestOf(master));
  const status = (): RotationStatus => ({
    version: newestOf(master),
    waiting: waiting(),
    done: master.versions.size === 1,
  });

  const retire = (): Promise<void> =>
    inTurn(async () => {
      if (master.versions.size === 1 || waiting().length > 0) return;
      master = await retireFormer(master);
      log.info('master_key_retired', { version: newestOf(master) });
    });

  return {
    status,
    wire: (names) => Object.fromEntries(names.map((name) => [name, keysOf(master, name)])),
    settled(service, version) {
      at.set(service, version);
      if (master.versions.size > 1 && waiting().length === 0)
        retire().catch((error: unknown) => log.error('master_key_not_retired', error));
    },
    begin: () =>
      inTurn(async () => {
        if (master.versions.size > 1)
          throw new Stated('The last rotation of the master key is still under way.');
        master = await addVersion(master);
        log.info('master_key_added', { version: newestOf(master) });
        tell();
        return status();
      }),
  };
}
