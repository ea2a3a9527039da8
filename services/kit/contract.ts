/**
 * What a service offers the others, as data: calls (request, answer) and events. From the same
 * contracts come the bus API, its NATS permissions (provisioning/nats-conf.ts) and their tests.
 *
 * Subjects: `<service>.call.<name>` and `<service>.event.<name>.<key>`.
 */
import type * as v from 'valibot';
import type { ServiceName } from './names.ts';

export interface Call {
  request: v.GenericSchema;
  answer: v.GenericSchema;
  /** Who may call. Nobody else's certificate may publish on the subject. */
  callers: readonly ServiceName[];
}

export interface Event {
  payload: v.GenericSchema;
  /** Who may listen. */
  listeners: readonly ServiceName[];
}

export interface Contract {
  service: ServiceName;
  calls: Readonly<Record<string, Call>>;
  events: Readonly<Record<string, Event>>;
  /** Whether the service has a Redis user, with the keys `<service>:*`. */
  cache: boolean;
}

/** Some of a contract's calls, where they fill more than one file. */
export const defineCalls = <const C extends Contract['calls']>(calls: C): C => calls;

export const defineContract = <const C extends Contract>(contract: C): C => contract;

export type CallName<C extends Contract> = keyof C['calls'] & string;
export type EventName<C extends Contract> = keyof C['events'] & string;
/** What a caller passes and a handler receives. */
export type CallRequest<C extends Contract, N extends CallName<C>> = v.InferOutput<
  C['calls'][N]['request']
>;
export type CallAnswer<C extends Contract, N extends CallName<C>> = v.InferOutput<
  C['calls'][N]['answer']
>;
export type EventPayload<C extends Contract, N extends EventName<C>> = v.InferOutput<
  C['events'][N]['payload']
>;

export const callSubject = (contract: Contract, name: string): string =>
  `${contract.service}.call.${name}`;

/** `key` is a DeviceKey, an AccountId, or `*`: its dots make tokens, so a listener for all uses `>`. */
export const eventSubject = (contract: Contract, name: string, key: string): string =>
  `${contract.service}.event.${name}.${key}`;
