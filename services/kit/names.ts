/** The closed list of those who have a certificate. Whoever is not on it is refused everywhere. */

/** Services of ours: each has its certificate, NATS user, Redis user and unix socket at pkid. */
export const services = [
  'gateway',
  'accounts',
  'directory',
  'delivery',
  'archive',
  'media',
  'witness',
  'spaces',
  'control',
] as const;
export type ServiceName = (typeof services)[number];

/** Engines: `edge` is Caddy, as a client of the gateway. */
export const engines = ['nats', 'redis', 'edge'] as const;
export type EngineName = (typeof engines)[number];

export type PeerName = ServiceName | EngineName;

/** The DNS SAN of a certificate: the whole identity. docs/decisions/021-profiles.md */
export const dnsName = (name: string): string => `${name}.island.internal`;
