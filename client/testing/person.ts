/** For tests: a person on an odd island, with a home in memory. */
import { createHash } from 'node:crypto';
import { type Islander, type IslanderEvent, openIslander } from '../islander.ts';
import { register } from '../joining/registration.ts';
import { arrivals } from '../messages/arrivals.ts';
import { departures } from '../messages/departures.ts';
import type { Message } from '../messages/messages.ts';
import type { Platform } from '../platform.ts';
import { nodePlatform } from '../platform-node.ts';
import { memoryStorage } from '../storage/memory.ts';
import type { Storage } from '../storage/storage.ts';
import type { OddIsland } from './odd-island.ts';

/** Argon2 is slow by design; who tests something else takes a hash that is not. */
export const quickPlatform: Platform = {
  ...nodePlatform,
  argon2id: async (password, salt) => createHash('sha256').update(password).update(salt).digest(),
};

export interface TestPerson extends AsyncDisposable {
  name: string;
  storage: Storage;
  islander: Islander;
  events: IslanderEvent[];
  /** Queues, and waits for the outcomes. */
  sends(to: string, ...texts: string[]): Promise<string[]>;
  /** The next messages that come, as `from: text` or what kept them from being read. */
  hears(count: number): Promise<string[]>;
  /** Resolves with the first event of a type, also of the past. */
  event(type: IslanderEvent['type']): Promise<IslanderEvent>;
}

export async function person(
  island: OddIsland,
  name: string,
  storage: Storage = memoryStorage(),
  now: () => number = Date.now,
): Promise<TestPerson> {
  const joining = { storage, platform: quickPlatform, now };
  await register(joining, island.link, name, { password: 'password' });
  return reopen(name, storage, now);
}

/** The same person again, as after a restart of the program. */
export async function reopen(
  name: string,
  storage: Storage,
  now: () => number = Date.now,
): Promise<TestPerson> {
  const events: IslanderEvent[] = [];
  const listeners = new Set<() => void>();
  const on = (event: IslanderEvent): void => {
    events.push(event);
    for (const listener of listeners) listener();
  };
  const islander = await openIslander({ storage, platform: quickPlatform, on, now });
  const never = new AbortController().signal;
  return {
    name,
    storage,
    islander,
    events,
    async sends(to, ...texts) {
      const keys = await islander.send(to, texts);
      islander.startSending();
      const outcomes: string[] = [];
      for await (const message of departures(storage, keys, never))
        outcomes.push(message.reason ?? message.state);
      return outcomes;
    },
    async hears(count) {
      islander.startReceiving();
      const heard: string[] = [];
      for await (const group of arrivals(storage, never, { most: () => count - heard.length }))
        heard.push(...group.map(spoken));
      return heard;
    },
    event(type) {
      const { promise, resolve } = Promise.withResolvers<IslanderEvent>();
      const look = (): void => {
        const found = events.find((event) => event.type === type);
        if (!found) return;
        listeners.delete(look);
        resolve(found);
      };
      listeners.add(look);
      look();
      return promise;
    },
    [Symbol.asyncDispose]: () => islander[Symbol.asyncDispose](),
  };
}

const spoken = (message: Message): string =>
  message.type === 'message'
    ? `${message.from}: ${message.text}`
    : message.type === 'unreadable'
      ? `${message.from ?? `claims ${message.claims}`}? ${message.reason}`
      : '';
