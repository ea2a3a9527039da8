/** What `island status` tells, as data: made by the supervisor, sent over its socket, shown by the command. */
import type { Listener } from './listeners.ts';
import type { UnitState } from './unit.ts';

export interface UnitStatus {
  name: string;
  kind: 'engine' | 'process';
  /** Of an engine. */
  version?: string;
  services: readonly string[];
  state: UnitState;
  pid: number | null;
  /** Seconds since the present process started. */
  uptime: number;
  restarts: number;
  listeners: Listener[];
}

export interface CertificateStatus {
  /** A service, an engine, `public`, or a CA. */
  name: string;
  kind: 'leaf' | 'ca';
  /** ISO 8601. */
  notAfter: string;
}

export interface StatusReport {
  name: string;
  address: string;
  caFingerprint: string;
  data: string;
  ready: boolean;
  /** The supervisor. */
  pid: number;
  uptime: number;
  listeners: Listener[];
  units: UnitStatus[];
  certificates: CertificateStatus[];
}
