/**
 * For tests: the way between a client and its island in bad weather. Requests and answers are lost, sends
 * come once more when others have overtaken them, connections break, envelopes come twice.
 *
 * Nothing here is what TLS rules out: what arrives is what somebody sent.
 */
import { decodeClientFrame, decodeServerFrame } from '@island/protocol/wire/frames.ts';
import type { Platform } from '../platform.ts';
import { Problem } from '../problem.ts';
import type { Socket, Transport } from '../transport/transport.ts';

/** Chances, from 0 to 1. */
export interface Weather {
  /** A request or a send that never arrives. */
  lost: number;
  /** One that arrives, and whose answer is lost. */
  unanswered: number;
  /** A send that comes again, later. */
  again: number;
  /** A frame with which the connection breaks. */
  breaks: number;
  /** An envelope that the socket brings twice. */
  twice: number;
  /** An acknowledgement that is lost. */
  deaf: number;
}

export const calm: Weather = { lost: 0, unanswered: 0, again: 0, breaks: 0, twice: 0, deaf: 0 };

/**
 * @param random from 0 to 1
 * @param onSend for each try of a sealed send
 */
export function roughPlatform(
  platform: Platform,
  weather: () => Weather,
  random: () => number,
  onSend: () => void = () => undefined,
): Platform {
  const happens = (what: keyof Weather): boolean => random() < weather()[what];
  const transport = (real: Transport): Transport => {
    const late: Uint8Array[] = [];
    const gone = () => new Problem('unreachable', { address: real.address });
    /** Where nobody listens there is no answer either. */
    const reached = <T>(ask: Promise<T>): Promise<T> =>
      ask.catch((error: unknown) => {
        const refused = error instanceof Error && 'syscall' in error;
        throw refused || isHangUp(error) ? gone() : error;
      });
    async function through<T>(ask: () => Promise<T>): Promise<T> {
      if (happens('lost')) throw gone();
      const answer = await reached(ask());
      if (happens('unanswered')) throw gone();
      return answer;
    }
    return {
      ...real,
      address: real.address,
      request: (asked) => through(() => real.request(asked)),
      apart: (asked) => through(() => real.apart(asked)),
      send: (body, way) => {
        onSend();
        return through(async () => {
          const answer = await real.send(body, way);
          const overtaken = random() < 0.5 ? late.shift() : undefined;
          if (overtaken) reached(real.send(overtaken)).catch(() => undefined);
          if (happens('again')) late.push(body);
          return answer;
        });
      },
      socket: async (path, signal) => {
        if (happens('lost')) throw gone();
        return roughSocket(await reached(real.socket(path, signal)), happens);
      },
      [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
    };
  };
  return { ...platform, transport: (pinned) => transport(platform.transport(pinned)) };
}

const isHangUp = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ECONNRESET';

function roughSocket(real: Socket, happens: (what: keyof Weather) => boolean): Socket {
  async function* frames(): AsyncGenerator<Uint8Array> {
    for await (const frame of real.frames) {
      if (happens('breaks')) real.cut();
      yield frame;
      if (decodeServerFrame(frame).type === 'envelope' && happens('twice')) yield frame;
    }
  }
  return {
    get code() {
      return real.code;
    },
    frames: frames(),
    close: () => real.close(),
    cut: () => real.cut(),
    send(frame) {
      if (decodeClientFrame(frame).type !== 'ack' || !happens('deaf')) real.send(frame);
    },
  };
}
