/** The promises of an island, by their ids; docs/threat-model.md says which are built. */

export const promises = {
  A1: 'The password never leaves the client',
  A2: 'Two-factor sign-in with single-use backup codes',
  A3: 'Any single backup code unlocks the archive',
  A4: 'Several devices, each with its own keys',
  A5: 'Short access tokens, rotating refresh tokens',
  M1: 'Direct messages: hybrid key agreement and Double Ratchet',
  M2: 'Sealed sender',
  M3: 'Channels with sender keys',
  M4: 'Calls that the island cannot decode',
  M5: 'Stored messages are encrypted at rest',
  M6: 'Fan-out to every proven device, and no other',
  M7: 'A lost session repairs itself',
  T1: 'TLS ends at an edge with automatic certificates',
  T2: 'mTLS between all services',
  T3: 'The bus needs mTLS; a certificate maps to its subjects',
  T4: 'Redis needs TLS and a client certificate',
  T5: 'Metrics are reachable from loopback only',
  T6: 'Sockets are bound to 30 messages a second and 16 KiB',
  K1: 'A verifiable key directory with witnesses',
  K2: 'Unauthorised key changes are detected',
  K3: 'Key history is an audit trail',
  D1: 'Participants are hashed after a day',
  D2: 'Old timestamps are coarsened',
  D3: 'Audit entries expire after 90 days',
  D4: 'Used one-time prekeys are purged after 7 days',
  D5: 'Activity of inactive devices is coarsened',
  D6: 'What could be handed over is known exactly',
  I1: 'One appliance holds everything',
  I2: 'A web console for administrators',
  I3: 'Any compatible client connects',
  I4: 'Trust stays with the operator, and only there',
  I5: 'Operational metadata is what is needed and no more',
} as const;

export type PromiseId = keyof typeof promises;

export const promiseIds = Object.keys(promises) as PromiseId[];

export const isPromiseId = (text: string): text is PromiseId => Object.hasOwn(promises, text);
