/** Two services with a contract made for testing the bus: `directory` answers and tells, `gateway` asks and listens. */
import { connect } from '@nats-io/transport-node';
import * as v from 'valibot';
import { defineContract } from '../contract.ts';
import { clientOptions } from '../mtls.ts';
import type { ServiceName } from '../names.ts';
import { type TestIsland, testIsland } from './kit.ts';

const value = v.strictObject({ value: v.number(), bytes: v.optional(v.instance(Uint8Array)) });

export const answering = defineContract({
  service: 'directory',
  cache: false,
  calls: {
    echo: { request: value, answer: value, callers: ['gateway'] },
    sum: { request: value, answer: value, callers: ['gateway'] },
    /** Nobody of these tests handles it. */
    unanswered: { request: value, answer: value, callers: ['gateway'] },
    /** Not for the gateway. */
    forbidden: { request: value, answer: value, callers: ['accounts'] },
  },
  events: {
    told: { payload: value, listeners: ['gateway'] },
    secret: { payload: value, listeners: ['accounts'] },
  },
});

export const asking = defineContract({ service: 'gateway', cache: false, calls: {}, events: {} });

export const busIsland = (options: { leafSeconds?: number } = {}): Promise<TestIsland> =>
  testIsland([], { ...options, contracts: [answering, asking] });

/** A connection without our bus, as a compromised service might open it with its own certificate. */
export async function bareConnection(island: TestIsland, name: ServiceName) {
  await using identity = await island.pki.identity(name);
  const tls = { handshakeFirst: true, ...clientOptions(identity, 'nats') };
  return connect({
    servers: `tls://127.0.0.1:${island.nats.port}`,
    inboxPrefix: `_INBOX.${name}`,
    tls: tls as object,
    reconnect: false,
    resolve: false,
  });
}
