/** For tests: the socket of a client at a real gateway, as the edge would pass it on. */
import type { TestSocket } from '../../services/gateway/testing/edge.ts';
import type { Socket } from '../transport/transport.ts';

export function realSocket({ raw }: TestSocket, signal?: AbortSignal): Socket {
  const waiting: Uint8Array[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  let code = 1006;
  const end = (): void => {
    ended = true;
    wake?.();
  };
  raw.on('message', (data: Buffer) => {
    waiting.push(new Uint8Array(data));
    wake?.();
  });
  raw.on('close', (closed) => {
    code = closed;
    end();
  });
  const close = (): void => {
    end();
    raw.close();
  };
  signal?.addEventListener('abort', close, { once: true });
  if (signal?.aborted) close();

  async function* frames(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = waiting.shift();
      if (next) yield next;
      else if (ended) return;
      else
        await new Promise<void>((woken) => {
          wake = woken;
        });
    }
  }

  return {
    send: (frame) => raw.send(frame),
    close,
    cut: () => {
      end();
      raw.terminate();
    },
    frames: frames(),
    get code() {
      return code;
    },
  };
}
