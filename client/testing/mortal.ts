/** For tests: a program that dies at a chosen step. What it had in memory is gone; its storage stays. */
import type { Platform } from '../platform.ts';
import type { Storage } from '../storage/storage.ts';
import type { Socket } from '../transport/transport.ts';
import type { Home } from './member-home.ts';

export class Killed extends Error {
  override name = 'Killed';
}

export interface Life {
  home: Home;
  /** The step at which it dies; it may be brought forward while it lives. */
  at: number;
  /** What it had done when it died, or all. */
  steps: string[];
  dead: boolean;
  /** Dies now, between two steps. */
  end(): void;
}

/**
 * The home, used by a program that dies at step `at`, counted from 0: each commit, each request and each
 * sealed send is two steps: before it, and after it, so that nobody hears of its outcome.
 */
export function dying({ storage, platform, joining }: Home, at: number): Life {
  const sockets = new Set<Socket>();
  const end = (): void => {
    life.dead = true;
    for (const socket of sockets) socket.cut();
  };
  const life: Life = { at, steps: [], dead: false, end, home: { storage, platform, joining } };
  const step = (name: string): void => {
    if (life.dead) throw new Killed();
    life.steps.push(name);
    if (life.steps.length <= life.at) return;
    end();
    throw new Killed(name);
  };
  const alive = <T>(value: T): T => {
    if (life.dead) throw new Killed();
    return value;
  };
  const mortalStorage: Storage = {
    ...storage,
    read: async (namespace, key) => alive(await storage.read(namespace, key)),
    async commit(batch) {
      step('before a commit');
      const done = await storage.commit(batch);
      step('after a commit');
      return done;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const mortalPlatform: Platform = {
    ...platform,
    transport(pinned) {
      const transport = platform.transport(pinned);
      return {
        ...transport,
        async request(asked) {
          step(`before ${asked.method} ${asked.path}`);
          const answer = await transport.request(asked);
          step(`after ${asked.method} ${asked.path}`);
          return answer;
        },
        async send(body, way) {
          step('before a send');
          const answer = await transport.send(body, way);
          step('after a send');
          return answer;
        },
        async socket(path, signal) {
          const socket = await transport.socket(path, signal);
          sockets.add(socket);
          if (life.dead) socket.cut();
          return {
            get code() {
              return socket.code;
            },
            frames: socket.frames,
            close: () => (life.dead ? socket.cut() : socket.close()),
            cut: () => socket.cut(),
            send: (frame) => {
              if (!life.dead) socket.send(frame);
            },
          };
        },
        [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
      };
    },
  };
  life.home = {
    storage: mortalStorage,
    platform: mortalPlatform,
    joining: { ...joining, storage: mortalStorage, platform: mortalPlatform },
  };
  return life;
}
