/**
 * Configuration of nats-server, its permissions generated from the services' contracts: import
 * graph, broker and certificate tell one story. docs/architecture.md §3
 */
import { accounts } from '@island/services/accounts/contract.ts';
import { archive } from '@island/services/archive/contract.ts';
import { control } from '@island/services/control/contract.ts';
import { delivery } from '@island/services/delivery/contract.ts';
import { directory } from '@island/services/directory/contract.ts';
import { gateway } from '@island/services/gateway/contract.ts';
import { type Contract, callSubject, eventSubject } from '@island/services/kit/contract.ts';
import { dnsName, type ServiceName } from '@island/services/kit/names.ts';
import { media } from '@island/services/media/contract.ts';
import { spaces } from '@island/services/spaces/contract.ts';
import { witness } from '@island/services/witness/contract.ts';

/** Every service of an island. */
export const contracts: readonly Contract[] = [
  accounts,
  archive,
  control,
  delivery,
  directory,
  gateway,
  media,
  witness,
  spaces,
];

export interface Permissions {
  publish: string[];
  subscribe: string[];
  /** Whether it may answer what it was asked, on the asker's inbox, once. */
  responds: boolean;
}

/** What `service` may do on the bus, according to the contracts, and nothing else. */
export function permissionsOf(service: ServiceName, all: readonly Contract[]): Permissions {
  const publish: string[] = [];
  const subscribe = [`_INBOX.${service}.>`];
  let responds = false;
  for (const contract of all) {
    const own = contract.service === service;
    for (const [name, call] of Object.entries(contract.calls)) {
      if (own) subscribe.push(callSubject(contract, name));
      if (call.callers.includes(service)) publish.push(callSubject(contract, name));
      responds ||= own;
    }
    for (const [name, event] of Object.entries(contract.events)) {
      if (own) publish.push(eventSubject(contract, name, '>'));
      if (event.listeners.includes(service)) subscribe.push(eventSubject(contract, name, '>'));
    }
  }
  return { publish: publish.sort(), subscribe: subscribe.sort(), responds };
}

export interface NatsConfOptions {
  /** On 127.0.0.1. */
  port: number;
  /** Paths: leaf and issuing CA, its key, the roots; read again on SIGHUP. */
  cert: string;
  key: string;
  ca: string;
  pidFile: string;
  /** Those of the island unless a test says otherwise. */
  contracts?: readonly Contract[];
}

// Every string below is JSON, which NATS's own syntax takes.
const list = (subjects: readonly string[]): string =>
  subjects.length === 0 ? '{ deny: [">"] }' : `{ allow: ${JSON.stringify(subjects)} }`;

function user(contract: Contract, all: readonly Contract[]): string {
  const { publish, subscribe, responds } = permissionsOf(contract.service, all);
  return `    {
      user: ${JSON.stringify(dnsName(contract.service))}
      permissions: {
        publish: ${list(publish)}
        subscribe: ${list(subscribe)}${responds ? '\n        allow_responses: { max: 1, expires: "15s" }' : ''}
      }
    }`;
}

/** The text of `nats.conf`. */
export function natsConf(options: NatsConfOptions): string {
  const all = options.contracts ?? contracts;
  return `# Written by the appliance at each start; changes here are lost.
listen: "127.0.0.1:${options.port}"
server_name: "island"
pid_file: ${JSON.stringify(options.pidFile)}
max_payload: 1048576
max_pending: 67108864
max_connections: 256
write_deadline: "5s"
ping_interval: "20s"
debug: false
trace: false
logtime: true

tls: {
  cert_file: ${JSON.stringify(options.cert)}
  key_file: ${JSON.stringify(options.key)}
  ca_file: ${JSON.stringify(options.ca)}
  verify_and_map: true
  handshake_first: true
  min_version: "1.3"
  timeout: 2
}

authorization: {
  timeout: 2
  users: [
${all.map((contract) => user(contract, all)).join('\n')}
  ]
}
`;
}
