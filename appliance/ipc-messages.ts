/** What the supervisor and one of our processes tell each other over the IPC channel. */

export type SupervisorMessage = 'start' | 'ping';

export type ProcessMessage =
  | { ready: true }
  | { pong: true }
  /** One plain sentence: why it cannot start. */
  | { failed: string }
  /** Certificates in use: who they name, and when they end (Unix ms). */
  | { certificate: { name: string; notAfter: number } };
