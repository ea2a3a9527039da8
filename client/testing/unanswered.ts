/** For tests: a platform that knows what was asked over it and is not answered yet. */
import type { Platform } from '../platform.ts';

/** @param asked what is on its way: `POST /v1/keys` by when it was asked, in milliseconds of this machine */
export function watchedPlatform(platform: Platform, asked: Map<string, number>): Platform {
  let count = 0;
  async function watched<T>(what: string, answer: Promise<T>): Promise<T> {
    const key = `${what} (${++count})`;
    asked.set(key, performance.now());
    try {
      return await answer;
    } finally {
      asked.delete(key);
    }
  }
  return {
    ...platform,
    transport(pinned) {
      const real = platform.transport(pinned);
      return {
        ...real,
        request: (ask) => watched(`${ask.method} ${ask.path}`, real.request(ask)),
        apart: (ask) => watched(`${ask.method} ${ask.path}`, real.apart(ask)),
        send: (...send) => watched('a send', real.send(...send)),
        socket: (...socket) => watched('a socket', real.socket(...socket)),
        [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
      };
    },
  };
}
