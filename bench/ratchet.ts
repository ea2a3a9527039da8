/**
 * The ratchet beside Signal's own library: 160-byte messages, CPU time of this process. Ours makes
 * every step durable with the client's storage, encrypts headers and always does PQXDH; the yardstick
 * keeps its serialised records in memory.
 *
 * A device commits once per step, however many messages the step has, so the gain of a busy device
 * over an idle one is part of the result: `conversations` says how many the two devices have going.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Conversation,
  conversation,
  type Identity,
  IslandDevice,
  makeIdentity,
  PrekeyBox,
  start,
  stepSize,
} from './island-device.ts';
import { LibsignalDevice } from './libsignal-device.ts';
import { perCpuSecond, type Scenario } from './scenario.ts';

const text = new Uint8Array(160).fill(0x61);
export const yardstickName = '@signalapp/libsignal-client 0.103.0, in memory';
const rounds = 5;

interface Pair {
  readonly left: Conversation;
  readonly right: Conversation;
  readonly leftSide: Identity;
  readonly rightSide: Identity;
}

/** Two devices' storages and `count` conversations between them, not begun yet. */
export async function withDevices<T>(
  count: number,
  work: (
    left: IslandDevice,
    right: IslandDevice,
    pairs: readonly Pair[],
    box: PrekeyBox,
  ) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'island-bench-'));
  try {
    await using left = new IslandDevice(join(folder, 'left'));
    await using right = new IslandDevice(join(folder, 'right'));
    const now = Date.now();
    const rightSide = makeIdentity('b', 1);
    const box = new PrekeyBox(rightSide, now);
    const pairs = Array.from({ length: count }, (_, i): Pair => {
      const leftSide = makeIdentity('a', 1 + i);
      return {
        leftSide,
        rightSide,
        left: conversation(leftSide, rightSide, now),
        right: conversation(rightSide, leftSide, now, box),
      };
    });
    // The left devices share a storage, as the conversations of one device do.
    for (const [i, pair] of pairs.entries())
      Object.assign(pair.left, { key: `${pair.left.key}.${i}` });
    return await work(left, right, pairs, box);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Begins every conversation; both sides have heard of the other then. */
export async function establish(
  left: IslandDevice,
  right: IslandDevice,
  pairs: readonly Pair[],
  box: PrekeyBox,
): Promise<void> {
  const bundles = box.bundles(pairs.length);
  for (const [i, pair] of pairs.entries()) {
    const bundle = bundles[i];
    if (bundle) start(pair.left, pair.rightSide, bundle);
  }
  await exchange(left, right, pairs);
}

/** A message from left to right and one back in every conversation; one commit a side and direction. */
async function exchange(
  left: IslandDevice,
  right: IslandDevice,
  pairs: readonly Pair[],
  firsts?: readonly Uint8Array[],
): Promise<Uint8Array[]> {
  const there =
    firsts ?? (await left.step(pairs.map((pair) => ({ conversation: pair.left, seal: text }))));
  const back = await right.step(
    pairs.map((pair, i) => ({ conversation: pair.right, open: there[i], seal: text })),
  );
  return await left.step(
    pairs.map((pair, i) => ({ conversation: pair.left, open: back[i], seal: text })),
  );
}

/** Two devices that have heard of each other. */
export async function libsignalPair(): Promise<[LibsignalDevice, LibsignalDevice]> {
  const [a, b] = [new LibsignalDevice('a'), new LibsignalDevice('b')];
  await a.start(b.address, await b.bundle(1));
  await b.decrypt(a.address, await a.encrypt(b.address, text));
  await a.decrypt(b.address, await b.encrypt(a.address, text));
  return [a, b];
}

export function sameDirection(messages = 6400): Promise<{ ours: number; yardstick: number }> {
  return withDevices(1, async (left, right, pairs, box) => {
    await establish(left, right, pairs, box);
    const [pair] = pairs;
    const [a, b] = await libsignalPair();
    const ours = async () => {
      for (let sent = 0; pair && sent < messages; sent += stepSize) {
        const step = Array.from({ length: stepSize }, () => ({
          conversation: pair.left,
          seal: text,
        }));
        const sealed = await left.step(step);
        await right.step(sealed.map((open) => ({ conversation: pair.right, open })));
      }
      return messages;
    };
    const yardstick = async () => {
      for (let i = 0; i < messages / 4; i++) {
        await b.decrypt(a.address, await a.encrypt(b.address, text));
      }
      return messages / 4;
    };
    return await perCpuSecond(ours, yardstick, rounds);
  });
}

export function pingPong(
  conversations: number,
  messages = 1600,
): Promise<{ ours: number; yardstick: number }> {
  return withDevices(conversations, async (left, right, pairs, box) => {
    await establish(left, right, pairs, box);
    let flying: readonly Uint8Array[] | undefined;
    const [a, b] = await libsignalPair();
    const ours = async () => {
      let count = 0;
      for (; count < messages; count += 2 * conversations)
        flying = await exchange(left, right, pairs, flying);
      return count;
    };
    const yardstick = async () => {
      for (let i = 0; i < messages / 2; i += 2) {
        await b.decrypt(a.address, await a.encrypt(b.address, text));
        await a.decrypt(b.address, await b.encrypt(a.address, text));
      }
      return messages / 2;
    };
    return await perCpuSecond(ours, yardstick, rounds);
  });
}

export function setUp(group: number, sessions = 192): Promise<{ ours: number; yardstick: number }> {
  return withDevices(sessions * (rounds + 1), async (left, right, pairs, box) => {
    const bundles = box.bundles(pairs.length);
    let next = 0;
    const ours = async () => {
      for (const end = next + sessions; next < end; next += group) {
        const some = pairs.slice(next, next + group);
        for (const [i, pair] of some.entries()) {
          const bundle = bundles[next + i];
          if (bundle) start(pair.left, pair.rightSide, bundle);
        }
        const sealed = await left.step(
          some.map((pair) => ({ conversation: pair.left, seal: text })),
        );
        await right.step(some.map((pair, i) => ({ conversation: pair.right, open: sealed[i] })));
      }
      return sessions;
    };
    const target = new LibsignalDevice('b');
    const yardsticks: {
      device: LibsignalDevice;
      bundle: Awaited<ReturnType<LibsignalDevice['bundle']>>;
    }[] = [];
    for (let i = 0; i < pairs.length; i++) {
      yardsticks.push({ device: new LibsignalDevice(`a${i}`), bundle: await target.bundle(i + 1) });
    }
    let at = 0;
    const yardstick = async () => {
      for (const { device, bundle } of yardsticks.slice(at, at + sessions)) {
        await device.start(target.address, bundle);
        await target.decrypt(device.address, await device.encrypt(target.address, text));
      }
      at += sessions;
      return sessions;
    };
    return await perCpuSecond(ours, yardstick, rounds);
  });
}

const unit = 'messages sealed and opened per CPU second';

export const scenarios: readonly Scenario[] = [
  {
    name: 'ratchet same direction',
    unit,
    target: 3,
    better: 'higher',
    yardstickName,
    measure: () => sameDirection(),
  },
  {
    name: 'ratchet ping-pong',
    unit,
    target: 1.3,
    better: 'higher',
    yardstickName,
    measure: () => pingPong(stepSize),
  },
  {
    name: 'session set-up',
    unit: 'sessions per CPU second: bundle verified, first message sealed and opened',
    target: 1.3,
    better: 'higher',
    yardstickName,
    measure: () => setUp(16),
  },
];
