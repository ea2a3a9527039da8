/** A space in a running service, with a directory that knows its people; for tests. */
import {
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { encodePostPlaintext } from '@island/protocol/crypto/post-plaintext.ts';
import type { SigningPair } from '@island/protocol/crypto/primitives.ts';
import { makeChain, type SenderChain, sealPost } from '@island/protocol/crypto/sender-chain.ts';
import { keyEpochAt } from '@island/protocol/space/readers.ts';
import type { SpaceOp } from '@island/protocol/space/space-op.ts';
import {
  type SamplePerson,
  type SampleSpace,
  sampleSpace,
} from '@island/protocol/space/testing/sample-space.ts';
import { seededRandom } from '@island/protocol/vectors/seeded.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, type ChannelId, deviceId } from '@island/protocol/wire/ids.ts';
import { directory } from '../../directory/contract.ts';
import type { Bus } from '../../kit/bus.ts';
import { spaces } from '../contract.ts';

export interface Board {
  isle: SampleSpace;
  person(name: string): SamplePerson;
  /** Sent, and applied here too; throws what the service throws. */
  act(by: SamplePerson, op: SpaceOp): Promise<number>;
  join(name: string): Promise<SamplePerson>;
  channel(name: string, change?: object): Promise<ChannelId>;
  /** The bytes of the next post of somebody's chain. */
  sealed(by: SamplePerson, channel: ChannelId, text: string): Uint8Array;
  post(by: SamplePerson, channel: ChannelId, text: string): Promise<number>;
  send(by: SamplePerson, post: Uint8Array): Promise<number>;
}

/** Whom the directory knows, and all of their lists. */
const known = new Map<AccountId, Uint8Array[]>();
const know = ({ account, list }: SamplePerson): void => void known.set(account, [list]);

/** The next list of somebody, signed by `aik`, as the directory has it from then on. */
export function changeList(
  { account }: SamplePerson,
  change: Parameters<typeof nextDeviceList>[1],
  aik: SigningPair,
): void {
  const lists = known.get(account) ?? [];
  const last = lists.at(-1);
  if (last === undefined) throw new Error('nobody');
  known.set(account, [
    ...lists,
    signDeviceList(nextDeviceList(openDeviceList(last), change, 20_001), aik),
  ]);
}

/** @param bus of the service `directory` */
export function testDirectory(bus: Bus): void {
  bus.handle(directory, 'current', async ({ account }) => {
    const list = known.get(account)?.at(-1);
    if (list === undefined) throw new Fault('unknown_person');
    return { list };
  });
  bus.handle(directory, 'listAt', async ({ account, epoch }) => {
    const list = known.get(account)?.[epoch - 1];
    if (list === undefined) throw new Fault('unknown_person');
    return { list };
  });
}

/** @param bus of the service `gateway` */
export async function openBoard(bus: Bus, seed: string): Promise<Board> {
  const isle = sampleSpace(seed, Math.floor(Date.now() / 1000) - 60);
  const random = seededRandom(`board ${seed}`);
  const { state, owner } = isle;
  know(owner);
  const by = ({ account }: SamplePerson) => ({ account, device: deviceId(1) });
  const [first] = isle.entries;
  if (first === undefined) throw new Error('no first entry');
  await bus.call(spaces, 'create', { ...by(owner), entry: first.bytes });
  const chains = new Map<string, SenderChain>();

  async function follow(): Promise<void> {
    for (const entry of isle.entries.slice(sent)) {
      const { actor: account, device, bytes } = entry;
      await bus.call(spaces, 'append', { account, device, entry: bytes });
      sent += 1;
    }
  }
  let sent = 1;

  const board: Board = {
    isle,
    person(name) {
      const who = isle.person(name);
      know(who);
      return who;
    },
    async act(who, op) {
      const entry = isle.entry(who, op);
      const { seq } = await bus.call(spaces, 'append', { ...by(who), entry: entry.bytes });
      isle.act(who, op);
      sent = isle.entries.length;
      return seq;
    },
    async join(name) {
      const who = isle.join(name);
      know(who);
      await follow();
      return who;
    },
    async channel(name, change) {
      const channel = isle.channel(name, change);
      await follow();
      return channel;
    },
    sealed(who, channel, text) {
      const epoch = keyEpochAt(state, channel, state.seq);
      const key = `${who.account} ${channel} ${epoch}`;
      const chain =
        chains.get(key) ?? makeChain({ space: state.space, channel, epoch }, Date.now(), random);
      const seen = { seq: 0, hash: new Uint8Array(32) };
      const body = { kind: 'text', text } as const;
      const plaintext = encodePostPlaintext({ id: random(16), sentAt: Date.now(), seen, body });
      const log = { logSeq: state.seq, logHash: state.hash };
      const made = sealPost(chain, { author: who.account, device: deviceId(1), ...log }, plaintext);
      chains.set(key, made.chain);
      return made.post;
    },
    post: (who, channel, text) => board.send(who, board.sealed(who, channel, text)),
    async send(who, post) {
      const { account } = who;
      const { lists } = await bus.call(spaces, 'lists', { account, space: state.space, after: 0 });
      return (await bus.call(spaces, 'post', { ...by(who), lists, post })).seq;
    },
  };
  return board;
}
