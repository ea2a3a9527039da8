/** The whole topology as data: which process runs which services, what it needs first, how much heap it gets. docs/decisions/031-supervisor.md */
import type { ServiceName } from '@island/services/kit/names.ts';
import type { ServiceDefinition } from '@island/services/kit/service.ts';

export type ProcessName = 'pkid' | 'core' | 'control' | 'front';
export type EngineUnit = 'nats' | 'redis' | 'caddy';
export type UnitName = ProcessName | EngineUnit;

/** Who is handed a key of its own, derived from the master key. docs/protocol/at-rest.md §2 */
export type KeyHolder = ServiceName | 'pkid';

export interface UnitRow {
  name: UnitName;
  /** Services in this process; an engine or pkid has none. Rights attach to the service, never to the process. */
  services: readonly ServiceName[];
  /** Units that must answer before this one starts; it is stopped before them. */
  needs: readonly UnitName[];
  /** V8's old generation and one half of its young one, MB; engines bound their own memory. */
  heap?: { old: number; young: number };
}

/** In the order of start. Cut by which secret a process holds: docs/architecture.md §1. */
export const units: readonly UnitRow[] = [
  { name: 'pkid', services: [], needs: [], heap: { old: 64, young: 2 } },
  { name: 'nats', services: [], needs: ['pkid'] },
  { name: 'redis', services: [], needs: ['pkid'] },
  {
    name: 'core',
    services: ['accounts', 'directory', 'delivery', 'archive', 'witness', 'spaces'],
    needs: ['nats', 'redis'],
    heap: { old: 256, young: 8 },
  },
  { name: 'control', services: ['control'], needs: ['core'], heap: { old: 96, young: 2 } },
  { name: 'front', services: ['gateway', 'media'], needs: ['core'], heap: { old: 256, young: 8 } },
  { name: 'caddy', services: [], needs: ['front'] },
];

export const processNames = ['pkid', 'core', 'control', 'front'] as const satisfies ProcessName[];

export const keyHoldersOf = ({ name, services }: UnitRow): readonly KeyHolder[] =>
  name === 'pkid' ? ['pkid'] : services;

export const isProcess = (name: string): name is ProcessName =>
  (processNames as readonly string[]).includes(name);

/** Loaded only in the process that runs them. */
export const services: Readonly<Record<ServiceName, () => Promise<ServiceDefinition>>> = {
  accounts: async () => (await import('@island/services/accounts/service.ts')).accountsService,
  directory: async () => (await import('@island/services/directory/service.ts')).directoryService,
  delivery: async () => (await import('@island/services/delivery/service.ts')).deliveryService,
  archive: async () => (await import('@island/services/archive/service.ts')).archiveService,
  control: async () => (await import('@island/services/control/service.ts')).controlService,
  media: async () => (await import('@island/services/media/service.ts')).mediaService,
  gateway: async () => (await import('@island/services/gateway/service.ts')).gatewayService,
  spaces: async () => (await import('@island/services/spaces/service.ts')).spacesService,
  witness: async () => (await import('@island/services/witness/service.ts')).witnessService,
};
