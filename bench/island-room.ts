/**
 * People of a running island in one channel: each registered, a member by an entry of their own, at an open socket
 * through the edge, posting over it. What they post is sealed beforehand; nothing is opened while it is measured.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { openAccount } from '@island/client/account/account.ts';
import { register } from '@island/client/joining/registration.ts';
import type { Platform } from '@island/client/platform.ts';
import { nodePlatform } from '@island/client/platform-node.ts';
import { openSession } from '@island/client/sign-in/session.ts';
import { memoryStorage } from '@island/client/storage/memory.ts';
import { encodePostPlaintext } from '@island/protocol/crypto/post-plaintext.ts';
import { ed25519, randomBytes } from '@island/protocol/crypto/primitives.ts';
import { makeChain, type SenderChain, sealPost } from '@island/protocol/crypto/sender-chain.ts';
import {
  noEntry,
  openEntry,
  proveInvited,
  signEntry,
  spaceIdOf,
} from '@island/protocol/space/entry.ts';
import { keyEpochAt } from '@island/protocol/space/readers.ts';
import type { SpaceOp } from '@island/protocol/space/space-op.ts';
import { applyEntry, beginSpace, type SpaceState } from '@island/protocol/space/space-state.ts';
import { decodeServerFrame, encodeClientFrame } from '@island/protocol/wire/frames.ts';
import { type ChannelId, channelId } from '@island/protocol/wire/ids.ts';
import { socketPath } from '@island/protocol/wire/routes.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import { WebSocket } from 'ws';
import { cpuByName } from './process-cpu.ts';
import { type Room, room } from './room-load.ts';
import { raiseIsland } from './running-island.ts';

/** Nobody signs in here: the slow hash of a password is not what is measured. */
const platform: Platform = {
  ...nodePlatform,
  argon2id: async (password, salt) => createHash('sha256').update(password).update(salt).digest(),
};
/** Of the text: the post around it has somewhat more than `room.bytes`. */
const textBytes = 700;
const now = (): number => Math.floor(Date.now() / 1000);

type Person = Awaited<ReturnType<typeof joined>>;

export interface IslandRoom extends Room {
  /** Bytes of one post as it is stored. */
  postBytes: number;
  /** Memory of the edge for each socket, bytes. */
  edge: number;
}

async function joined(link: string, name: string) {
  const joining = { storage: memoryStorage(), platform, now: Date.now };
  const account = openAccount((await register(joining, link, name, { password: name })).account);
  const transport = platform.transport(account.pinned);
  return { account, transport, session: openSession({ ...joining, transport, account }) };
}

/** A space of the first of them, whom the others join, with one channel. */
async function begin(people: readonly Person[]): Promise<[SpaceState, ChannelId]> {
  const [owner] = people;
  if (!owner) throw new Error('nobody');
  const nonce = randomBytes(16);
  const { account, aik, list, name } = owner.account;
  const space = spaceIdOf(nonce, account, aik.public);
  const sign = (by: Person, op: SpaceOp, state?: SpaceState) => {
    const { account: actor, device, dsk } = by.account;
    const place = { seq: (state?.seq ?? 0) + 1, prev: state?.hash ?? noEntry };
    const listEpoch = by.account.list.epoch;
    const time = Math.max(now(), state?.time ?? 0);
    return openEntry(signEntry({ space, ...place, time, actor, device, listEpoch, op }, dsk));
  };
  const resets = list.resetCounter;
  const first = sign(owner, { op: 'create', nonce, aik: aik.public, name, resets, title: 'Bench' });
  await owner.session.call('createSpace', { entry: base64url(first.bytes) });
  const state = beginSpace(first);
  const act = async (by: Person, op: SpaceOp): Promise<void> => {
    const entry = sign(by, op, state);
    await by.session.call('appendEntry', { entry: base64url(entry.bytes) });
    applyEntry(state, entry);
  };
  const invite = ed25519.fromSeed(randomBytes(32));
  await act(owner, { op: 'invite', key: invite.public, expires: 0, uses: 0, role: 0 });
  const channel = channelId(hex(randomBytes(16)));
  const plain = { topic: '', parent: undefined, position: 0, slowSeconds: 0, history: false };
  await act(owner, {
    ...{ op: 'channel', channel, kind: 'text', name: 'lobby', overrides: [] },
    ...plain,
  });
  for (const who of people.slice(1)) {
    const { account: id, aik: own, name: called } = who.account;
    const proof = proveInvited(invite, { space, account: id, aik: own.public });
    await act(who, {
      ...{ op: 'join', name: called, aik: own.public, resets: who.account.list.resetCounter },
      ...{ bot: false, invite: invite.public, proof },
    });
  }
  return [state, channel];
}

/** At an open socket that watches. */
async function watch(
  { account: { pinned }, session }: Person,
  channel: ChannelId,
  onPost: () => void,
): Promise<WebSocket> {
  const socket = new WebSocket(pinned.address.replace(/^https/, 'wss') + socketPath, {
    ca: pinned.root,
    perMessageDeflate: false,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.on('error', reject);
  socket.on('message', (data: Buffer) => {
    if (data[1] === 0x88) return onPost();
    const frame = decodeServerFrame(data);
    if (frame.type === 'watching') resolve();
    else if (frame.type === 'refused' || frame.type === 'fault')
      throw new Error(`the socket says ${frame.code}`);
  });
  const access = await session.token();
  socket.on('open', () => {
    socket.send(encodeClientFrame({ type: 'hello', access }));
    socket.send(encodeClientFrame({ type: 'watch', channels: [channel] }));
  });
  await promise;
  return socket;
}

export async function islandRoom(): Promise<IslandRoom> {
  await using held = new AsyncDisposableStack();
  const island = held.use(await raiseIsland());
  const link = await island.joinLink(room.occupants);
  const people: Person[] = [];
  for (let at = 0; at < room.occupants; at++) {
    const one = await joined(link, `person${at}`);
    held.use(one.transport);
    people.push(one);
  }
  const [state, channel] = await begin(people);
  const edgePid = island.pids.get('edge') ?? island.pids.get('caddy') ?? 0;
  const before = await memoryOf(edgePid);
  let received = 0;
  const sockets: WebSocket[] = [];
  for (const one of people) {
    const socket = await watch(one, channel, () => {
      received += 1;
    });
    held.defer(() => socket.terminate());
    sockets.push(socket);
  }
  const edge = ((await memoryOf(edgePid)) - before) / room.occupants;
  const asked = { space: state.space, after: 0 };
  const { lists } = (await people[0]?.session.call('spaceLists', asked)) ?? { lists: 0 };
  const epoch = keyEpochAt(state, channel, state.seq);
  const chains: SenderChain[] = people.map(() =>
    makeChain({ space: state.space, channel, epoch }, Date.now()),
  );
  const ready: Uint8Array[] = [];
  let sealed = 0;
  function seal(): Uint8Array {
    const at = sealed++ % people.length;
    const [person, chain] = [people[at], chains[at]];
    if (!person || !chain) throw new Error('nobody');
    const body = { kind: 'text', text: hex(randomBytes(textBytes / 2)) } as const;
    const seen = { seq: 0, hash: new Uint8Array(32) };
    const said = { id: randomBytes(16), sentAt: Date.now(), seen, body };
    const { account: author, device } = person.account;
    const under = { author, device, logSeq: state.seq, logHash: state.hash };
    const made = sealPost(chain, under, encodePostPlaintext(said));
    chains[at] = made.chain;
    return made.post;
  }
  ready.push(seal());
  let posted = 0;
  const stack = held.move();
  return {
    postBytes: ready[0]?.length ?? 0,
    edge,
    async prepare(posts) {
      while (ready.length < posts) ready.push(seal());
    },
    post() {
      const post = ready.shift();
      if (!post) throw new Error('more was posted than was made ready');
      const frame = { type: 'post', request: 1, channel, lists, post } as const;
      sockets[posted++ % sockets.length]?.send(encodeClientFrame(frame));
    },
    received: () => received,
    cpu: () => cpuByName(island.pids),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Bytes that a process has in memory. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) * 1024;
}
