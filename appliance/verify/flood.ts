/** T6: a socket that says too much, or too much at once, and one beside it. docs/protocol/socket.md */
import { setTimeout } from 'node:timers/promises';
import type { Socket } from '@island/client/transport/transport.ts';
import {
  decodeServerFrame,
  encodeClientFrame,
  type ServerFrame,
} from '@island/protocol/wire/frames.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { socketPath } from '@island/protocol/wire/routes.ts';
import { type Findings, found } from './finding.ts';
import type { Person } from './people.ts';

const patience = 10_000;
/** Milliseconds in which the one beside has to be answered while the other floods. */
const unmoved = 1000;
/** Milliseconds after which what was said no longer counts. */
const window = 1050;

export async function checkSockets(loud: Person, quiet: Person): Promise<Findings> {
  const access = await loud.session.token();
  const beside = await openTalk(quiet, await quiet.session.token());
  const talk = await openTalk(loud, access);
  const { framesPerSecond, refusedFrames, frameBytes } = limits;

  // HELLO counts too; a second later it does not.
  await setTimeout(window);
  const burst = framesPerSecond + 1;
  for (let nonce = 0; nonce < burst; nonce++) talk.ping(nonce);
  await talk.until((frames) => frames.length >= burst);
  const pongs = talk.count('pong');
  const refused = talk.count('fault');
  const stayed = talk.open;
  const asked = performance.now();
  beside.ping(1);
  for (let more = 0; more < refusedFrames + framesPerSecond; more++) talk.ping(burst + more);
  await beside.until((frames) => frames.some(({ type }) => type === 'pong'));
  const answered = Math.round(performance.now() - asked);
  const flooded = await talk.ended;

  const largest = await closeCodeAfter(loud, access, new Uint8Array(frameBytes));
  const larger = await closeCodeAfter(loud, access, new Uint8Array(frameBytes + 1));
  const others = beside.open && beside.count('fault') === 0;
  beside.close();
  return {
    summary: `message ${pongs + 1} within a second was refused, a flood closed with ${flooded}; ${frameBytes} bytes pass, one more closes with ${larger}; a socket beside was answered in ${answered} ms`,
    findings: [
      found(
        pongs === framesPerSecond && refused === 1,
        `of ${burst} messages at once, ${pongs} were answered and ${refused} refused (rate_limited)`,
      ),
      found(stayed, 'the first refusal leaves the socket open'),
      found(flooded === 4429, `who goes on is closed with ${flooded}`),
      found(
        largest !== 1009,
        `a message of ${frameBytes} bytes is read (and, being none, ends with ${largest})`,
      ),
      found(larger === 1009, `a message of ${frameBytes + 1} bytes is closed with ${larger}`),
      found(
        others && answered < unmoved,
        `another person's socket was answered in ${answered} ms meanwhile and stayed open`,
      ),
    ],
  };
}

interface Talk {
  open: boolean;
  ended: Promise<number>;
  ping(nonce: number): void;
  send(bytes: Uint8Array): void;
  count(type: ServerFrame['type']): number;
  /** Resolves when what came since READY satisfies `enough`, or the socket ended. */
  until(enough: (frames: readonly ServerFrame[]) => boolean): Promise<void>;
  close(): void;
}

/** Signs in a socket; resolves at READY. */
async function openTalk({ transport }: Person, access: string): Promise<Talk> {
  const socket: Socket = await transport.socket(socketPath, AbortSignal.timeout(patience));
  const frames: ServerFrame[] = [];
  let wake = Promise.withResolvers<void>();
  const talk: Talk = {
    open: true,
    ended: read(),
    ping: (nonce) => socket.send(encodeClientFrame({ type: 'ping', nonce })),
    send: (bytes) => socket.send(bytes),
    count: (type) => frames.filter((frame) => frame.type === type).length,
    async until(enough) {
      while (talk.open && !enough(frames)) {
        await wake.promise;
        wake = Promise.withResolvers();
      }
    },
    close: () => socket.close(),
  };
  async function read(): Promise<number> {
    for await (const bytes of socket.frames) {
      const frame = decodeServerFrame(bytes);
      // Mail that waits for this person is not what is counted here.
      if (frame.type !== 'envelope') frames.push(frame);
      wake.resolve();
    }
    talk.open = false;
    wake.resolve();
    return socket.code;
  }
  socket.send(encodeClientFrame({ type: 'hello', access }));
  await talk.until((all) => all.some(({ type }) => type === 'ready'));
  frames.length = 0;
  return talk;
}

async function closeCodeAfter(person: Person, access: string, bytes: Uint8Array): Promise<number> {
  const talk = await openTalk(person, access);
  talk.send(bytes);
  return talk.ended;
}
