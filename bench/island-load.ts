/**
 * People who write to each other through a running island: over its edge's TLS, each send on a connection
 * without a session, each recipient at an open socket. What they send is random bytes of the size of a
 * sealed envelope, which is all that an island can tell of one; nothing is encrypted while it is measured.
 *
 * The senders come from addresses of their own on the loopback network, so that no limit by address
 * answers in place of the island.
 */
import { createHash, randomBytes } from 'node:crypto';
import { openAccount } from '@island/client/account/account.ts';
import type { Joining } from '@island/client/joining/joining-parts.ts';
import { register } from '@island/client/joining/registration.ts';
import type { Platform } from '@island/client/platform.ts';
import { nodePlatform } from '@island/client/platform-node.ts';
import { openSession } from '@island/client/sign-in/session.ts';
import { memoryStorage } from '@island/client/storage/memory.ts';
import { decodeServerFrame, encodeClientFrame } from '@island/protocol/wire/frames.ts';
import { type EnvelopeId, envelopeId } from '@island/protocol/wire/ids.ts';
import { sendPath, socketPath } from '@island/protocol/wire/routes.ts';
import { encodeSend } from '@island/protocol/wire/send.ts';
import { Pool } from 'undici';
import { WebSocket } from 'ws';
import { load, type Server } from './load.ts';
import { openPostage, registerDeliveryKey } from './postage.ts';
import { cpuByName } from './process-cpu.ts';
import { raiseIsland } from './running-island.ts';

/** One device each; every pair of the load has its own recipient or shares one. */
export const people = 25;
/** Addresses that sends come from, and milliseconds between acknowledgements of one recipient. */
const addresses = 20;
const ackInterval = 50;

/** Nobody signs in here: the slow hash of a password is not what is measured. */
const platform: Platform = {
  ...nodePlatform,
  argon2id: async (password, salt) => createHash('sha256').update(password).update(salt).digest(),
};

export interface IslandLoad extends Server {
  /** The same with another send for each message: the copy for the sender's other device (M6). */
  twice: Server;
}

type Recipient = Awaited<ReturnType<typeof joined>>;

async function joined(link: string, name: string) {
  const joining: Joining = { storage: memoryStorage(), platform, now: Date.now };
  const account = openAccount((await register(joining, link, name, { password: name })).account);
  const transport = platform.transport(account.pinned);
  const session = openSession({ ...joining, transport, account });
  return { account, transport, session, key: await registerDeliveryKey(session) };
}

/** At an open socket: tells of every envelope, acknowledges all that came every `ackInterval`. */
async function receive(
  { account, session }: Recipient,
  onEnvelope: (id: string) => void,
): Promise<Disposable> {
  const { address, root } = account.pinned;
  const socket = new WebSocket(address.replace(/^https/, 'wss') + socketPath, {
    ca: root,
    perMessageDeflate: false,
  });
  const ready = Promise.withResolvers<void>();
  let seen = 0;
  let told = 0;
  socket.on('message', (data: Buffer) => {
    const frame = decodeServerFrame(data);
    if (frame.type === 'ready') ready.resolve();
    else if (frame.type === 'fault') ready.reject(new Error(`the socket says ${frame.code}`));
    else if (frame.type === 'envelope') {
      seen = frame.seq;
      onEnvelope(frame.id);
    }
  });
  socket.on('error', ready.reject);
  const access = await session.token();
  socket.on('open', () => socket.send(encodeClientFrame({ type: 'hello', access })));
  await ready.promise;
  const acking = setInterval(() => {
    if (seen > told) socket.send(encodeClientFrame({ type: 'ack', seq: seen }));
    told = seen;
  }, ackInterval);
  return {
    [Symbol.dispose]() {
      clearInterval(acking);
      socket.terminate();
    },
  };
}

/** `bytes`: of one envelope. */
export async function islandLoad(bytes: number): Promise<IslandLoad> {
  await using held = new AsyncDisposableStack();
  const island = held.use(await raiseIsland());
  const link = await island.joinLink(people);
  const arrived = new Map<string, () => void>();
  const recipients: Recipient[] = [];
  for (let at = 0; at < people; at++) {
    const one = await joined(link, `person${at}`);
    held.use(one.transport);
    recipients.push(one);
    held.use(
      await receive(one, (id) => {
        arrived.get(id)?.();
        arrived.delete(id);
      }),
    );
  }
  const [first] = recipients;
  if (!first) throw new Error('nobody');
  const postage = await openPostage(
    first.transport,
    recipients.map(({ session }) => session),
  );
  const ways = Array.from({ length: addresses }, (_, at) => {
    const pool = new Pool(island.address, {
      connections: Math.ceil((load.pairs * load.window) / addresses),
      localAddress: `127.0.1.${at + 1}`,
      connect: { ca: first.account.pinned.root, maxCachedSessions: 0 },
      allowH2: false,
    });
    held.defer(() => pool.destroy());
    return pool;
  });
  const bodies = Array.from({ length: 64 }, () => randomBytes(bytes));
  let next = 0;

  /** Posts one envelope for somebody; resolves when it is accepted. */
  async function post(
    { key, account: { account, device, list } }: Recipient,
    id: EnvelopeId,
  ): Promise<void> {
    const at = next++;
    const body = bodies[at % bodies.length] ?? randomBytes(bytes);
    const send = encodeSend({
      tokens: [postage.take()],
      key,
      account,
      epoch: list.epoch,
      envelopes: [{ device, id, body }],
    });
    const headers = { 'content-type': 'application/octet-stream' };
    const request = { method: 'POST', path: sendPath, headers, body: send } as const;
    const answer = await ways[at % ways.length]?.request(request);
    const said = await answer?.body.text();
    if (answer?.statusCode !== 202) throw new Error(`a send was answered ${said}`);
  }

  const stack = held.move();
  const parts = {
    cpu: () => cpuByName(island.pids),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
  const to = (at: number) => {
    const one = recipients[at % recipients.length];
    if (!one) throw new Error('nobody');
    return one;
  };
  async function send(pair: number): Promise<{ received: number }> {
    const id = envelopeId(randomBytes(16).toString('hex'));
    const since = performance.now();
    const received = new Promise<number>((resolve) =>
      arrived.set(id, () => resolve(performance.now() - since)),
    );
    await post(to(pair), id);
    return { received: await received };
  }
  return {
    ...parts,
    prepare: (messages) => postage.fetch(messages + load.pairs * load.window),
    send,
    twice: {
      ...parts,
      prepare: (messages) => postage.fetch(2 * (messages + load.pairs * load.window)),
      async send(pair) {
        const own = post(to(pair + 1), envelopeId(randomBytes(16).toString('hex')));
        const [done] = await Promise.all([send(pair), own]);
        return done;
      },
    },
  };
}
