/**
 * Posts of a channel beside group messages of Signal's own library: 160 bytes, CPU time of this process.
 * Both keep their state as bytes in memory after every step; ours holds the chain it works on besides, as
 * the client does, and pads, names the log, links posts and signs inside the encryption, which the
 * yardstick does not.
 */
import { encodeReceivedChain, encodeSenderChain } from '@island/protocol/crypto/chain-storage.ts';
import { decodePost } from '@island/protocol/crypto/post.ts';
import { openPost, openRun, type ReceivedChain } from '@island/protocol/crypto/received-chain.ts';
import { makeChain, type SenderChain, sealPost } from '@island/protocol/crypto/sender-chain.ts';
import {
  annHere,
  channel,
  log,
  plaintextOf,
  readerOf,
  space,
} from '@island/protocol/crypto/testing/channel.ts';
import { SignalGroupDevice } from '@island/protocol/crypto/testing/signal-groups.ts';
import { type Effort, type Measured, perCpuSecond, type Scenario } from './scenario.ts';

const text = new Uint8Array(160).fill(0x61);
const words = plaintextOf('a'.repeat(160 - 69));
const yardstickName = 'group messages of @signalapp/libsignal-client 0.103.0, in memory';
const run = 500;
/** Chains of so many posts that are sealed in one round. */
const chains = 8;
const rounds = ({ quick, nightly }: Effort): number => (quick ? 3 : nightly ? 15 : 7);
const author = { ...annHere, ...log };

/** What stands for the disk on our side: the bytes of the newest state. */
let kept: Uint8Array = text;

function newChain(): SenderChain {
  return makeChain({ space, channel, epoch: 5 }, Date.now());
}

function sealAll(chain: SenderChain): Uint8Array[] {
  let at = chain;
  const posts: Uint8Array[] = [];
  for (let i = 0; i < run; i++) {
    const sealed = sealPost(at, author, words);
    at = sealed.chain;
    kept = encodeSenderChain(at);
    posts.push(sealed.post);
  }
  return posts;
}

async function signalPair(): Promise<[SignalGroupDevice, SignalGroupDevice]> {
  const [a, b] = [new SignalGroupDevice('a'), new SignalGroupDevice('b')];
  await b.admit(a.address, await a.offer());
  return [a, b];
}

async function encryptAll(device: SignalGroupDevice): Promise<Uint8Array<ArrayBuffer>[]> {
  const messages: Uint8Array<ArrayBuffer>[] = [];
  for (let i = 0; i < run; i++) messages.push(await device.encrypt(text));
  return messages;
}

async function encrypting(effort: Effort): Promise<Measured> {
  const ours = async () => {
    let sealed = 0;
    for (let i = 0; i < chains; i++) sealed += sealAll(newChain()).length;
    return sealed;
  };
  const [device] = await signalPair();
  const yardstick = async () => {
    let sealed = 0;
    for (let i = 0; i < chains; i++) sealed += (await encryptAll(device)).length;
    return sealed;
  };
  return await perCpuSecond(ours, yardstick, rounds(effort));
}

/** Both sides' backlogs are made before anything is measured. */
async function decrypting(
  effort: Effort,
  read: (reader: ReceivedChain, posts: readonly Uint8Array[]) => void,
): Promise<Measured> {
  const each = rounds(effort) + 1;
  const ourBacklogs = Array.from({ length: each }, () => {
    const chain = newChain();
    return { reader: readerOf(chain), posts: sealAll(chain) };
  });
  const [sender, reader] = await signalPair();
  const backlogs: Uint8Array<ArrayBuffer>[][] = [];
  for (let i = 0; i < each; i++) backlogs.push(await encryptAll(sender));
  const ours = async () => {
    const backlog = ourBacklogs.pop();
    if (backlog) read(backlog.reader, backlog.posts);
    return run;
  };
  const yardstick = async () => {
    for (const message of backlogs.shift() ?? []) await reader.decrypt(sender.address, message);
    return run;
  };
  return await perCpuSecond(ours, yardstick, rounds(effort));
}

function oneByOne(reader: ReceivedChain, posts: readonly Uint8Array[]): void {
  let at = reader;
  for (const post of posts) {
    at = openPost(at, decodePost(post), annHere).chain;
    kept = encodeReceivedChain(at);
  }
}

function caughtUp(reader: ReceivedChain, posts: readonly Uint8Array[]): void {
  const placed = posts.map((bytes) => ({ post: decodePost(bytes), context: annHere }));
  const { chain, results } = openRun(reader, placed);
  if (results.some(({ fault }) => fault)) throw new Error('a post did not open');
  kept = encodeReceivedChain(chain);
}

const common = { better: 'higher', yardstickName } as const;

export const scenarios: readonly Scenario[] = [
  {
    ...common,
    name: 'channel-ratchet encrypt',
    unit: 'posts sealed per CPU second',
    target: 1.4,
    measure: encrypting,
  },
  {
    ...common,
    name: 'channel-ratchet decrypt',
    unit: 'posts opened one by one per CPU second',
    target: 0.6,
    measure: (effort) => decrypting(effort, oneByOne),
  },
  {
    ...common,
    name: 'channel-ratchet catch-up',
    unit: `posts opened in runs of ${run} per CPU second`,
    target: 2,
    measure: (effort) => decrypting(effort, caughtUp),
  },
];

/** Read, so that no step of it is left out. */
export const lastKept = (): number => kept.length;
