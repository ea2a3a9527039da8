/**
 * A sender key: the chain in which one device posts in one channel. docs/protocol/channel.md §5
 *
 * A chain belongs to a key epoch of its channel and to nobody but the device that made it: its id, its
 * first chain key and its signing key are random. Sealing answers another chain and leaves the old one
 * as it was; the new one is made durable before the post leaves. Should a copy go on from an old state,
 * the nonce in each post still keeps any key from being used twice.
 */
import type { AccountId, ChannelId, DeviceId, SpaceId } from '../wire/ids.ts';
import { noHash } from './account-state.ts';
import { beginKeys, type ChainKeys, chainKeyAt, chainLimits, messageKeysAt } from './chain-keys.ts';
import type { ChannelKeyBody } from './channel-key-body.ts';
import { CryptoFault } from './crypto-fault.ts';
import { pad } from './padding.ts';
import { encodePost, hashPost } from './post.ts';
import { ed25519, type Random, randomBytes, randomNonce, type SigningPair } from './primitives.ts';

export interface SenderChain {
  readonly space: SpaceId;
  readonly channel: ChannelId;
  /** Key epoch of the channel that it was made in: seq of an entry of the space's log. */
  readonly epoch: number;
  /** 16 random bytes. */
  readonly id: Uint8Array;
  readonly signing: SigningPair;
  /** Unix seconds. */
  readonly made: number;
  /** `keys.next` is the iteration of the next post. */
  readonly keys: ChainKeys;
  /** Hash of the newest post; zeros before the first. */
  readonly prev: Uint8Array;
}

/** Where a chain is made. */
export interface ChainHome {
  space: SpaceId;
  channel: ChannelId;
  epoch: number;
}

/** Who posts, and what they know of the space's log. */
export interface PostAuthor {
  author: AccountId;
  device: DeviceId;
  logSeq: number;
  /** Hash of the log at `logSeq`. */
  logHash: Uint8Array;
}

/** `now`: Unix milliseconds. */
export function makeChain(
  { space, channel, epoch }: ChainHome,
  now: number,
  random: Random = randomBytes,
): SenderChain {
  const [id, chainKey] = [random(16), random(32)];
  const signing = ed25519.generate(random);
  const made = Math.floor(now / 1000);
  const keys = beginKeys(0, chainKey);
  return { space, channel, epoch, id, signing, made, keys, prev: noHash };
}

/**
 * Why the next post needs another chain, or `undefined`. `epoch`: the channel's now; `now`: Unix
 * milliseconds. A clock that was set back ends a chain, too: nobody knows how old it is then.
 */
export function chainOver(
  chain: SenderChain,
  epoch: number,
  now: number,
): 'epoch' | 'posts' | 'age' | undefined {
  if (chain.epoch !== epoch) return 'epoch';
  if (chain.keys.next >= chainLimits.posts) return 'posts';
  const age = Math.floor(now / 1000) - chain.made;
  return age < 0 || age >= chainLimits.seconds ? 'age' : undefined;
}

/**
 * The next post of the chain. `plaintext`: from `encodePostPlaintext`. Throws `chain_ended` after
 * `chainLimits.posts`, `too_large` for what can't be padded.
 */
export function sealPost(
  chain: SenderChain,
  { author, device, logSeq, logHash }: PostAuthor,
  plaintext: Uint8Array,
  random: Random = randomNonce,
): { chain: SenderChain; post: Uint8Array; hash: Uint8Array } {
  const iteration = chain.keys.next;
  if (iteration >= chainLimits.posts) throw new CryptoFault('chain_ended');
  const padded = pad(plaintext);
  const { keys, messageKeys } = messageKeysAt(chain.keys, [iteration]);
  const { channel, id, prev, signing } = chain;
  const head = { channel, logSeq, chain: id, iteration, prev, nonce: random(16) };
  const messageKey = messageKeys[0] as Uint8Array;
  const post = encodePost(head, { author, device, logHash }, { messageKey, signing }, padded);
  const hash = hashPost(post);
  return { chain: { ...chain, keys, prev: hash }, post, hash };
}

/**
 * What a device is given that may read the chain from its next post on. `log`: the space's log as this
 * side has it.
 */
export const channelKeyOf = (
  chain: SenderChain,
  log: Pick<PostAuthor, 'logSeq' | 'logHash'>,
): ChannelKeyBody => channelKeyFrom(chain, chain.keys.next, chain.prev, log);

/**
 * The same from an earlier iteration on, for a device that was entitled to it then. `prev`: hash of the
 * post before it, zeros where it is not known.
 */
export function channelKeyFrom(
  chain: SenderChain,
  iteration: number,
  prev: Uint8Array,
  { logSeq, logHash }: Pick<PostAuthor, 'logSeq' | 'logHash'>,
): ChannelKeyBody {
  if (iteration > chain.keys.next) throw new CryptoFault('chain_ended');
  const { space, channel, epoch, id, signing } = chain;
  const place = { epoch, chain: id, iteration, chainKey: chainKeyAt(chain.keys, iteration) };
  const log = { logSeq, logHash };
  return { kind: 'channel-key', space, channel, ...log, ...place, signing: signing.public, prev };
}
