/**
 * A chain of another device: posts are read in any order, each once. docs/protocol/channel.md §5, §6
 *
 * A value: reading answers another one, and whatever is refused changes nothing. The work of a post is
 * counted before any is done: at most `chainLimits.reach` steps of the chain, one signature.
 */
import { Fault } from '../wire/fault.ts';
import type { AccountId, ChannelId, DeviceId, SpaceId } from '../wire/ids.ts';
import { type ChainKeys, chainLimits, messageKeysAt } from './chain-keys.ts';
import { CryptoFault } from './crypto-fault.ts';
import { unpad } from './padding.ts';
import { linkOf, openCiphertext, type Post, type PostContext, verifyPost } from './post.ts';
import { equal } from './primitives.ts';

export interface ReceivedChain {
  readonly space: SpaceId;
  readonly channel: ChannelId;
  readonly author: AccountId;
  readonly device: DeviceId;
  readonly epoch: number;
  readonly id: Uint8Array;
  /** Public half of the key that signs its posts. */
  readonly signing: Uint8Array;
  /** Whose word it is that the chain is the author's: `undefined` if the author's device gave it itself. */
  readonly sharedBy: AccountId | undefined;
  readonly keys: ChainKeys;
  /** Hash of the post before `keys.origin`; zeros where there is none, or nobody said. */
  readonly prev: Uint8Array;
  /** Bit i, from the lowest of byte 0 on: iteration `keys.origin + i` was read. */
  readonly read: Uint8Array;
}

/** A post with what the feed and the log say of it. */
export interface PlacedPost {
  post: Post;
  context: PostContext;
}

export function wasRead({ keys, read }: ReceivedChain, iteration: number): boolean {
  const at = iteration - keys.origin;
  return at >= 0 && (((read[at >> 3] ?? 0) >> (at & 7)) & 1) === 1;
}

/** `read` with the bits of `iterations` as well. */
function markRead({ keys, read }: ReceivedChain, iterations: readonly number[]): Uint8Array {
  const places = iterations.map((iteration) => iteration - keys.origin);
  const most = Math.max(-1, ...places);
  const out = new Uint8Array(Math.max(read.length, (most >> 3) + 1));
  out.set(read);
  for (const at of places) out[at >> 3] = (out[at >> 3] ?? 0) | (1 << (at & 7));
  return out;
}

/** What costs nothing to find out. Throws `no_chain`, `undecryptable`, `before_chain`, `too_far_ahead`, `duplicate`. */
function checkPlace(chain: ReceivedChain, { post, context }: PlacedPost): Uint8Array {
  const { origin } = chain.keys;
  if (!equal(chain.id, post.chain)) throw new CryptoFault('no_chain');
  const same =
    chain.channel === post.channel &&
    chain.author === context.author &&
    chain.device === context.device;
  if (!same) throw new CryptoFault('undecryptable');
  if (post.iteration < origin) throw new CryptoFault('before_chain');
  if (post.iteration - origin >= chainLimits.reach) throw new CryptoFault('too_far_ahead');
  if (wasRead(chain, post.iteration)) throw new CryptoFault('duplicate');
  return post.bytes;
}

/**
 * Opens a post, in any order, each once; answers the chain after it and the plaintext for
 * `decodePostPlaintext`. `context`: author and device as the feed has them, the hash of the log at
 * `post.logSeq` as this side knows it. Throws `no_chain`, `before_chain`, `too_far_ahead`, `duplicate`,
 * `undecryptable`, `bad_signature`, and `malformed` for what was not padded as §6 says.
 */
export function openPost(
  chain: ReceivedChain,
  post: Post,
  context: PostContext,
): { chain: ReceivedChain; plaintext: Uint8Array } {
  checkPlace(chain, { post, context });
  const { keys, messageKeys } = messageKeysAt(chain.keys, [post.iteration]);
  const opened = openCiphertext(post, context, messageKeys[0] as Uint8Array);
  verifyPost(opened, chain.signing);
  const plaintext = unpad(opened.padded);
  return { chain: { ...chain, keys, read: markRead(chain, [post.iteration]) }, plaintext };
}

/** What became of one post of a run: the plaintext, or what `openPost` would have thrown. */
export type RunResult =
  | { readonly plaintext: Uint8Array; readonly fault?: undefined }
  | { readonly fault: Fault | CryptoFault; readonly plaintext?: undefined };

/** A refusal as a value; anything else that is thrown is a bug and stays thrown. */
function outcome(work: () => Uint8Array): RunResult {
  try {
    return { plaintext: work() };
  } catch (error) {
    if (error instanceof Fault || error instanceof CryptoFault) return { fault: error };
    throw error;
  }
}

/**
 * Opens many posts of one chain, in ascending order of their iterations; results stand in the order of
 * `run`. It costs a hash for most posts where `openPost` costs a signature: going back from the newest, a
 * post needs none of its own if its hash is the `prev` of the accepted one behind it, since all its bytes
 * are signed then. Every other one is verified as by `openPost`. A post that is refused changes nothing
 * and stops none of the others.
 */
export function openRun(
  chain: ReceivedChain,
  run: readonly PlacedPost[],
): { chain: ReceivedChain; results: readonly RunResult[] } {
  if (!ascends(run)) return oneByOne(chain, run);
  const results: RunResult[] = new Array(run.length);
  const possible: number[] = [];
  for (const [i, placed] of run.entries()) {
    const early = outcome(() => checkPlace(chain, placed));
    if (early.fault) results[i] = early;
    else possible.push(i);
  }
  const iterationOf = (i: number): number => (run[i] as PlacedPost).post.iteration;
  const reached = messageKeysAt(chain.keys, possible.map(iterationOf));
  const opened: number[] = [];
  /** The accepted post behind the one in hand. */
  let behind: Post | undefined;
  for (let k = possible.length - 1; k >= 0; k--) {
    const i = possible[k] as number;
    const { post, context } = run[i] as PlacedPost;
    const covered = behind !== undefined && linkOf(post, behind) === 'follows';
    const result = outcome(() => {
      const inner = openCiphertext(post, context, reached.messageKeys[k] as Uint8Array);
      if (!covered) verifyPost(inner, chain.signing);
      return unpad(inner.padded);
    });
    results[i] = result;
    behind = result.fault ? undefined : post;
    if (!result.fault) opened.push(post.iteration);
  }
  const furthest = opened[0];
  if (furthest === undefined) return { chain, results };
  const asFar = furthest === iterationOf(possible.at(-1) as number);
  const { keys } = asFar ? reached : messageKeysAt(chain.keys, [furthest]);
  return { chain: { ...chain, keys, read: markRead(chain, opened) }, results };
}

const ascends = (run: readonly PlacedPost[]): boolean =>
  run.every(({ post }, i) => i === 0 || post.iteration > (run[i - 1] as PlacedPost).post.iteration);

function oneByOne(
  chain: ReceivedChain,
  run: readonly PlacedPost[],
): { chain: ReceivedChain; results: readonly RunResult[] } {
  let at = chain;
  const results = run.map(({ post, context }) =>
    outcome(() => {
      const { chain: after, plaintext } = openPost(at, post, context);
      at = after;
      return plaintext;
    }),
  );
  return { chain: at, results };
}
