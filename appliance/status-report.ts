/**
 * What `island status` tells, as data: made by the supervisor, sent over its socket, shown by the command, which asks
 * control for the log of keys.
 */
import type { Listener } from './listeners.ts';
import type { UnitState } from './unit.ts';
import type { WitnessStanding } from './witness-messages.ts';

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

/** The log of keys. docs/protocol/transparency.md §6 */
export interface LogStatus {
  /** Entries of the published log. */
  size: number;
  /** Of its newest epoch, ISO 8601. */
  epoch: string;
  /** Whether witnesses have to sign it. */
  witnessed: boolean;
  /** How many, where the policy is of the simple kind, and how many there are. */
  quorum: number | null;
  witnesses: number;
  /** The size of the checkpoint that waits for them. */
  waiting?: number;
  /** Why nothing new is published. */
  problem?: NonNullable<WitnessStanding['problem']>;
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
