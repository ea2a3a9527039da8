/**
 * One channel and many sockets that watch it: the island's gateway in a process of its own, and `ws` alone in another,
 * both over mTLS as the edge speaks it. The gateway hears of posts over the bus, `ws` alone by a message.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { encodeClientFrame } from '@island/protocol/wire/frames.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { socketPath } from '@island/protocol/wire/routes.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import { delivery } from '@island/services/delivery/contract.ts';
import { testTokens } from '@island/services/gateway/testing/tokens.ts';
import { clientOptions, type Identity } from '@island/services/kit/mtls.ts';
import { testIsland } from '@island/services/kit/testing/kit.ts';
import { spaces } from '@island/services/spaces/contract.ts';
import { spacesService } from '@island/services/spaces/service.ts';
import { openBoard, testDirectory } from '@island/services/spaces/testing/board.ts';
import { WebSocket } from 'ws';
import type { FanAsk } from './peers/fan-process.ts';
import { cpuSecondsOf } from './process-cpu.ts';

export const sockets = 1000;
const postBytes = 1024;
/** Of a post in its frame: what a client is sent for it. */
const frameBytes = postBytes + 59;
/** With the head of its WebSocket message. */
const wireBytes = frameBytes + 4;
/** Milliseconds between two signs of life of each socket, that need no answer. */
const living = 15_000;
/** Connections that are made at once. */
const atOnce = 50;

export interface Fan {
  /** Bytes of memory for each socket that is open and idle. */
  memory: number;
  /** Posts go out, so many on the way at once, for so many seconds. */
  run(inFlight: number, seconds: number): Promise<{ rate: number; perCpu: number; delay: number }>;
}

interface Process extends AsyncDisposable {
  pid: number;
  ask(what: FanAsk): Promise<number>;
  tell(what: FanAsk): void;
}

function begin(name: 'gateway' | 'bare'): Process {
  const program = join(import.meta.dirname, 'peers/fan-process.ts');
  const child = fork(program, [name], { execArgv: ['--expose-gc'], stdio: 'inherit' });
  const ended = once(child, 'exit');
  return {
    pid: child.pid ?? 0,
    tell: (what) => void child.send(what),
    async ask(what) {
      const answered = once(child, 'message');
      child.send(what);
      const [value] = await Promise.race([answered, ended.then(() => [Number.NaN])]);
      return Number(value);
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/**
 * Opens one socket. When the greeting is over its bytes are counted and no more looked at: whoever receives shares the
 * machine with what is measured.
 */
async function open(
  { identity, port, hello }: { identity: Identity; port: number; hello: readonly Uint8Array[] },
  onBytes: (count: number) => void,
): Promise<WebSocket> {
  const stream = connect({ host: '127.0.0.1', port, ...clientOptions(identity, 'gateway') });
  await once(stream, 'secureConnect');
  const socket = new WebSocket(`ws://127.0.0.1:${port}${socketPath}`, {
    createConnection: () => stream,
    perMessageDeflate: false,
    headers: { 'X-Real-IP': '192.0.2.1' },
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.on('error', reject);
  socket.on('message', (data: Buffer) => {
    if (data[1] === 0x8d) resolve();
    else if (data[1] === 0x83) reject(new Error(`the socket says ${data.toString('latin1')}`));
  });
  socket.on('open', () => {
    for (const frame of hello) socket.send(frame);
    if (hello.length === 0) resolve();
  });
  await promise;
  stream.removeAllListeners('data');
  stream.on('data', (chunk: Buffer) => onBytes(chunk.length));
  return socket;
}

/** The gateway, then `ws` alone. */
export async function openFans(held: AsyncDisposableStack): Promise<[Fan, Fan]> {
  const ports = await freePorts(2);
  const names = ['directory', 'delivery', 'spaces', 'accounts'] as const;
  const island = held.use(await testIsland(names));
  const { bus: lists } = await island.kit('directory');
  testDirectory(lists);
  const { bus: mail } = await island.kit('delivery');
  mail.handle(delivery, 'since', async () => ({ head: 0, envelopes: [] }));
  const tokens = await testTokens((await island.kit('accounts')).bus);
  await Promise.all([lists.settled(), mail.settled()]);
  const { bus } = await island.start(spacesService);
  const identity = held.use(await island.pki.identity('edge'));
  const config = (port = 0) => {
    const { keys: _none, ...rest } = island.config('front', ['gateway']);
    return { ...rest, gatewayPort: port };
  };
  const fans: Fan[] = [];
  for (const [at, name] of (['gateway', 'bare'] as const).entries()) {
    const child = held.use(begin(name));
    const port = ports[at] ?? 0;
    await child.ask({ ask: 'start', config: config(port) });
    const ours = name === 'gateway';
    const board = ours ? await openBoard((await island.kit('gateway')).bus, 'fan') : undefined;
    const channel = await board?.channel('lobby');
    const author = board?.isle.owner.account;
    let bytes = 0;
    const received = (): number => bytes / wireBytes;
    const count = (more: number) => {
      bytes += more;
    };
    const alive = encodeClientFrame({ type: 'ack', seq: 0 });
    const one = async (device: number): Promise<void> => {
      const hello =
        channel && author
          ? [
              encodeClientFrame({ type: 'hello', access: await tokens.sign(author, device) }),
              encodeClientFrame({ type: 'watch', channels: [channel] }),
            ]
          : [];
      const socket = await open({ identity, port, hello }, count);
      const saying = setInterval(() => socket.send(alive), living);
      held.defer(() => {
        clearInterval(saying);
        socket.terminate();
      });
    };
    // What the first sockets load is no part of what one costs.
    for (let device = 1; device <= atOnce; device++) await one(device);
    const before = await child.ask({ ask: 'memory' });
    for (let from = atOnce; from < sockets; from += atOnce)
      await Promise.all(Array.from({ length: atOnce }, (_, i) => one(from + i + 1)));
    const memory = ((await child.ask({ ask: 'memory' })) - before) / (sockets - atOnce);
    const body = { accepted: 2, device: deviceId(1), post: Buffer.alloc(postBytes, 1) };
    let seq = 0;
    const post = (): void => {
      seq += 1;
      if (channel && author) bus.publish(spaces, 'posted', channel, { ...body, seq, author });
      else child.tell({ ask: 'post', bytes: frameBytes });
    };
    fans.push({
      memory,
      async run(inFlight, seconds) {
        await child.ask({ ask: 'memory' });
        const first = received();
        const [since, cpu] = [performance.now(), await cpuSecondsOf(child.pid)];
        let sent = 0;
        while (performance.now() - since < seconds * 1000) {
          while (received() - first > (sent - inFlight) * sockets) {
            post();
            sent += 1;
          }
          await new Promise(setImmediate);
        }
        while (received() - first < sent * sockets) await new Promise(setImmediate);
        const took = (performance.now() - since) / 1000;
        const spent = (await cpuSecondsOf(child.pid)) - cpu;
        const deliveries = sent * sockets;
        const delay = await child.ask({ ask: 'delay' });
        return { rate: deliveries / took, perCpu: deliveries / spent, delay };
      },
    });
  }
  const [ours, bare] = fans;
  if (!ours || !bare) throw new Error('two fans');
  return [ours, bare];
}
