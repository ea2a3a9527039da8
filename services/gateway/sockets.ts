/**
 * All connections of this gateway, and the only door to `ws`. docs/protocol/socket.md
 * Bounds what a connection may hold, beats the time for the sessions, tells them when mail or
 * events may have passed them by. One connection's trouble stays its own.
 */
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { type FaultCode, faults } from '@island/protocol/wire/fault.ts';
import type { DeviceKey } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { socketPath } from '@island/protocol/wire/routes.ts';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { delivery } from '../delivery/contract.ts';
import { directory } from '../directory/contract.ts';
import { pause } from '../kit/backoff.ts';
import type { Bus } from '../kit/bus.ts';
import type { Clock } from '../kit/clock.ts';
import { clientAddress, refuseStream } from '../kit/http-server.ts';
import { failure, type Log } from '../kit/log.ts';
import { openOrigin } from '../kit/origin.ts';
import { spaces } from '../spaces/contract.ts';
import type { Access } from './access.ts';
import { openChannels } from './channels.ts';
import { everySession } from './every-session.ts';
import { type Line, Session } from './session.ts';

export interface SocketParts {
  server: Server;
  access: Access;
  bus: Bus;
  clock: Clock;
  log: Log;
  /** Most sockets at once, and most of them that have not said who they are: of all, and of one address. */
  most?: number;
  mostSilent?: number;
  mostSilentEach?: number;
}

/** Milliseconds between two ticks of the sessions. */
const beat = 500;
/** Milliseconds that the other side has to answer a close. */
const closePatience = 2000;

const bounds = {
  perMessageDeflate: false,
  maxPayload: limits.frameBytes,
  // A message of 16 KiB has no reason to come in more pieces than these.
  maxFragments: 64,
  maxBufferedChunks: 2048,
  closeTimeout: closePatience,
};

export function openSockets(parts: SocketParts): AsyncDisposable {
  const { server, access, bus, clock, log, most = 10_000, mostSilent = 2000 } = parts;
  const { mostSilentEach = limits.silentSockets } = parts;
  const origin = openOrigin();
  const sessions = new Set<Session>();
  const devices = new Map<DeviceKey, Session>();
  const accepting = new WebSocketServer({ noServer: true, ...bounds });
  const channels = openChannels(bus);
  let silent = 0;
  /** The same by where they come from, so that one address can't take every place. */
  const silentOf = new Map<string, number>();
  let closing = false;

  const from = (request: IncomingMessage): string =>
    Buffer.from(origin(clientAddress(request) ?? '')).toString('base64');

  function count(place: string, one: 1 | -1): void {
    silent += one;
    const there = (silentOf.get(place) ?? 0) + one;
    if (there > 0) silentOf.set(place, there);
    else silentOf.delete(place);
  }

  function begin(socket: WebSocket, stream: Duplex, request: IncomingMessage): void {
    let named: DeviceKey | undefined;
    const place = from(request);
    count(place, 1);
    const session: Session = new Session({
      line: lineOf(socket, stream),
      access,
      bus,
      channels,
      log,
      ticks: () => performance.now(),
      now: () => clock.now(),
      admitted(admitted, device) {
        count(place, -1);
        named = device;
        devices.get(device)?.end('replaced');
        devices.set(device, admitted);
      },
      ended() {
        sessions.delete(session);
        if (named === undefined) count(place, -1);
        else if (devices.get(named) === session) devices.delete(named);
      },
    });
    sessions.add(session);
    stream.on('drain', () => session.drained());
    socket.on('message', (data, binary) => session.receive(bytesOf(data), binary));
    socket.on('ping', () => session.pinged());
    socket.on('pong', () => session.ponged());
    socket.on('close', () => session.closed());
    // Without a listener a client's broken frame would end the process.
    socket.on('error', () => session.closed());
  }

  const upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    stream.on('error', () => stream.destroy());
    const code = refusal(request);
    if (code === undefined)
      accepting.handleUpgrade(request, stream, head, (socket) => begin(socket, stream, request));
    else refuseStream(stream, code);
  };

  function refusal(request: IncomingMessage): FaultCode | undefined {
    const { url, headers } = request;
    if (url !== socketPath) return 'not_found';
    if (headers.upgrade?.toLowerCase() !== 'websocket') return 'malformed';
    if (closing || sessions.size >= most || silent >= mostSilent) return 'unavailable';
    if ((silentOf.get(from(request)) ?? 0) >= mostSilentEach) return 'rate_limited';
    return undefined;
  }

  const looks = everySession(sessions, (session) => session.look(), log);
  const rechecks = everySession(sessions, (session) => session.recheckChannels(), log);
  function missedPosts(): void {
    channels.lost();
    rechecks.begin();
  }

  server.on('upgrade', upgrade);
  accepting.on('wsClientError', (error, stream) => {
    log.info('upgrade_refused', failure(error));
    refuseStream(stream, 'malformed');
  });
  const timer = setInterval(() => {
    for (const session of sessions) session.tick();
  }, beat);
  const forgetEnded = access.onEnded((ended) => {
    for (const session of sessions)
      if (session.bearer?.session === ended) session.end('session_revoked');
  });
  const forgetReconnect = bus.onReconnect(() => {
    looks.begin();
    missedPosts();
  });
  const resumed = bus.subscribe(delivery, 'resumed', 'all', () => looks.begin());
  const spacesResumed = bus.subscribe(spaces, 'resumed', 'all', missedPosts);
  const asked = bus.subscribe(directory, 'asked', 'all', ({ size, vkeys }) => {
    const of = new Set(vkeys);
    for (const session of sessions) session.askCosign(size, of);
  });

  return {
    async [Symbol.asyncDispose]() {
      closing = true;
      clearInterval(timer);
      forgetEnded();
      forgetReconnect();
      for (const one of [resumed, spacesResumed, looks, rechecks]) one[Symbol.dispose]();
      asked[Symbol.dispose]();
      server.off('upgrade', upgrade);
      const closed = new Promise<void>((done) => accepting.close(() => done()));
      for (const session of sessions) session.end('unavailable');
      channels[Symbol.dispose]();
      await Promise.race([closed, pause(closePatience)]);
      for (const socket of accepting.clients) socket.terminate();
    },
  };
}

/** @param stream beneath the socket: without extensions, what `ws` sends is written to it at once, in order */
function lineOf(socket: WebSocket, stream: Duplex): Line {
  return {
    send: (frame) => socket.send(frame, { binary: true }),
    push(frames) {
      if (socket.readyState !== WebSocket.OPEN) return;
      const several = frames.length > 1;
      if (several) stream.cork();
      for (const frame of frames) stream.write(frame);
      if (several) stream.uncork();
    },
    ping: () => socket.ping(),
    close(code, reason) {
      // Whoever floods us is not read any more, not even a goodbye.
      if (code === faults.rate_limited.close) socket.pause();
      socket.close(code, reason);
    },
    cut: () => socket.terminate(),
    get buffered() {
      return socket.bufferedAmount;
    },
  };
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
