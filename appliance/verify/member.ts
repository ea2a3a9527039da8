/** A member of a space as M3 looks at it: what they post and read in a channel, with sender keys and the routes alone. docs/protocol/channel.md §5, §6 */
import type { Islander } from '@island/client/islander.ts';
import { admitChain } from '@island/protocol/crypto/chain-admission.ts';
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { decodePost, type Post } from '@island/protocol/crypto/post.ts';
import {
  decodePostPlaintext,
  encodePostPlaintext,
} from '@island/protocol/crypto/post-plaintext.ts';
import { equal, randomBytes } from '@island/protocol/crypto/primitives.ts';
import { openPost, type ReceivedChain } from '@island/protocol/crypto/received-chain.ts';
import {
  channelKeyOf,
  makeChain,
  type SenderChain,
  sealPost,
} from '@island/protocol/crypto/sender-chain.ts';
import { keyEpochAt } from '@island/protocol/space/readers.ts';
import { hashAt } from '@island/protocol/space/space-state.ts';
import type { ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';

export interface Place {
  space: SpaceId;
  channel: ChannelId;
}

export interface Member {
  islander: Islander;
  /** Begins a chain for the channel as it is, and hands it to others, as devices do among themselves. */
  begin(place: Place, readers: readonly Member[]): Promise<void>;
  /** The chain that posts are made in now, to whoever is to read from the next one on. */
  hand(to: Member): Promise<void>;
  /** The next post of the chain, sealed. */
  seal(text: string): Promise<Uint8Array>;
  /** Hands it to the island. Resolves with its place in the feed. */
  post(sealed: Uint8Array): Promise<number>;
  /** As the island gives them out. */
  page(place: Place): Promise<Uint8Array[]>;
  /** The text of a post, or why it does not open. */
  read(author: Islander, sealed: Uint8Array): Promise<string>;
  chains: ReceivedChain[];
}

export function memberOf(islander: Islander): Member {
  const { account, session, spaces } = islander;
  let sending: { chain: SenderChain; place: Place } | undefined;
  const mustSend = () => {
    if (sending === undefined) throw new Error('no chain was begun');
    return sending;
  };
  const member: Member = {
    islander,
    chains: [],
    async begin(place, readers) {
      const state = await spaces.follow(place.space);
      const epoch = keyEpochAt(state, place.channel, state.seq);
      sending = { place, chain: makeChain({ ...place, epoch }, Date.now()) };
      for (const reader of readers) await member.hand(reader);
    },
    async hand(to) {
      const { chain, place } = mustSend();
      const { seq, hash } = await spaces.known(place.space);
      const from = { author: account.account, device: account.device };
      const offer = channelKeyOf(chain, { logSeq: seq, logHash: hash });
      to.chains.push(admitChain(to.chains, offer, from).chain);
    },
    async seal(text) {
      const { chain, place } = mustSend();
      const { seq: logSeq, hash: logHash } = await spaces.follow(place.space);
      const seen = { seq: 0, hash: new Uint8Array(32) };
      const body = { kind: 'text', text } as const;
      const said = { id: randomBytes(16), sentAt: Date.now(), seen, body };
      const by = { author: account.account, device: account.device, logSeq, logHash };
      const made = sealPost(chain, by, encodePostPlaintext(said));
      sending = { place, chain: made.chain };
      return made.post;
    },
    async post(sealed) {
      const lists = await spaces.lists(mustSend().place.space);
      return (await session.call('post', { lists, post: base64url(sealed) })).seq;
    },
    async page({ channel }) {
      const asked = { channel, after: 0, count: limits.postsPerAnswer };
      const { items } = await session.call('posts', asked);
      return items.map((item) => ('post' in item ? item.post : item.gone));
    },
    async read(author, sealed) {
      const post = decodePost(sealed);
      const state = await spaces.follow(mustBe(member.chains[0]).space);
      const logHash = hashAt(state, post.logSeq) ?? new Uint8Array(32);
      const context = { author: author.account.account, device: author.account.device, logHash };
      const chain = member.chains.find(({ id }) => equal(id, post.chain));
      return opened(chain ?? mustBe(member.chains[0]), post, context);
    },
  };
  return member;
}

/** The text, or the code that it is refused with. */
export function opened(
  chain: ReceivedChain,
  post: Post,
  context: Parameters<typeof openPost>[2],
): string {
  try {
    const { body } = decodePostPlaintext(openPost(chain, post, context).plaintext);
    return body.kind === 'text' ? body.text : body.kind;
  } catch (error) {
    if (error instanceof CryptoFault) return error.code;
    throw error;
  }
}

function mustBe<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('no chain was handed over');
  return value;
}
