/** What the supervisor and one of our processes tell each other over the IPC channel. */

import type { KeyWire } from '@island/services/kit/service-keys.ts';
import type { KeyHolder } from './compose.ts';

/** Keys of a process's own services, or of pkid: over this channel, and never on a disk. docs/protocol/at-rest.md §2 */
export type ProcessKeyWire = Readonly<Partial<Record<KeyHolder, KeyWire>>>;

export type SupervisorMessage = { start: ProcessKeyWire } | { keys: ProcessKeyWire } | 'ping';

export type ProcessMessage =
  | { ready: true }
  | { pong: true }
  /** One plain sentence: why it cannot start. */
  | { failed: string }
  /** Certificates in use: who they name, and when they end (Unix ms). */
  | { certificate: { name: string; notAfter: number } }
  /** All that the service keeps is wrapped under this version of its key. */
  | { settled: { service: KeyHolder; version: number } };
