/** How posts go to the island and come from it. docs/protocol/channel.md §7 */
import type { ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Answer, RequestText } from '@island/protocol/wire/routes.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import type { Session } from '../sign-in/session.ts';

export type PostPage = Answer<'posts'>;
export type PageWanted = Omit<RequestText<'posts'>, 'channel'>;

/** Something is new there: a post, or an entry of the log, or devices of a member. */
export type News = { channel: ChannelId } | { space: SpaceId } | 'everywhere';

export interface ChannelLine {
  /** Resolves with the place of the post. Throws the `Fault` of the island. */
  post(lists: number, post: Uint8Array, signal: AbortSignal): Promise<number>;
  posts(channel: ChannelId, wanted: PageWanted, signal?: AbortSignal): Promise<PostPage>;
  takeBack(channel: ChannelId, seqs: readonly number[], signal?: AbortSignal): Promise<void>;
  /** The channels that news are wanted of, all of them each time. */
  watch(channels: readonly ChannelId[]): void;
  /** Tells what is new for as long as it is listened to. */
  listen(heard: (news: News) => void): Disposable;
}

/** Milliseconds between two looks, where nobody tells what is new. */
const look = 3_000;
export const mostPosts = limits.postsPerAnswer;

/** By requests alone: everything is looked at now and then. */
export const requestLine = (session: Session, every = look): ChannelLine => ({
  async post(lists, post, signal) {
    return (await session.call('post', { lists, post: base64url(post) }, { signal })).seq;
  },
  posts: (channel, wanted, signal) =>
    session.call('posts', { channel, ...wanted }, signal && { signal }),
  async takeBack(channel, seqs, signal) {
    await session.call('takeBackPosts', { channel, seqs: [...seqs] }, signal && { signal });
  },
  watch: () => undefined,
  listen(heard) {
    const timer = setInterval(() => heard('everywhere'), every);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  },
});
