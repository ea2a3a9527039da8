/** For tests: a gateway that takes nothing about channels over its socket, so that all of it goes by requests. */
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeServerFrame,
} from '@island/protocol/wire/frames.ts';
import type { Socket } from '../transport/transport.ts';

const channelFrames = new Set([
  'post',
  'space',
  'typing',
  'presence',
  'behind',
  'watching',
  'removed',
]);

export function withoutChannels(socket: Socket): Socket {
  const refusals: Uint8Array[] = [];
  let wake = Promise.withResolvers<void>();

  async function* frames(): AsyncGenerator<Uint8Array> {
    const passing = socket.frames[Symbol.asyncIterator]();
    let next = passing.next();
    for (;;) {
      const refusal = refusals.shift();
      if (refusal) yield refusal;
      else {
        const came = await Promise.race([next, wake.promise]);
        if (came === undefined) {
          wake = Promise.withResolvers();
          continue;
        }
        if (came.done) return;
        next = passing.next();
        if (!channelFrames.has(decodeServerFrame(came.value).type)) yield came.value;
      }
    }
  }

  return {
    send(bytes) {
      const frame = decodeClientFrame(bytes);
      if (frame.type === 'post') {
        const { request, channel } = frame;
        refusals.push(
          encodeServerFrame({ type: 'refused', request, channel, code: 'unavailable', number: 0 }),
        );
        wake.resolve();
      } else if (frame.type !== 'watch' && frame.type !== 'unwatch') socket.send(bytes);
    },
    close: () => socket.close(),
    cut: () => socket.cut(),
    frames: frames(),
    get code() {
      return socket.code;
    },
  };
}
