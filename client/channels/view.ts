/**
 * A channel as it is shown: texts in the order of the feed, with what was said of them folded in.
 * docs/protocol/channel.md §6.1
 *
 * Edits: the highest revision counts, of equals the one that stands later. Reactions and pins: the later word of each
 * person counts.
 */
import { type ChannelText, decodeChannelBody } from '@island/protocol/crypto/channel-body.ts';
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import type { AccountId, ChannelId, DeviceId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { appendedKey, type Row } from '../storage/storage.ts';
import { decodeItem, type FeedItemRow, itemsOf, readFeed, readItem } from './feed-rows.ts';
import { ownPosts, type PostState } from './post-rows.ts';
import type { Reading } from './rows.ts';
import { actsAbout, type PostName, pinned, placeOf } from './said.ts';

export interface ShownReply extends PostName {
  /** `undefined` where this home has not read it. */
  text: string | undefined;
  authorName: string;
}

export interface ShownPost extends PostName {
  /** In the storage, for what is not in the feed yet. */
  key: string | undefined;
  /** `undefined` until the feed that was read here has it. */
  seq: number | undefined;
  authorName: string;
  device: DeviceId | undefined;
  /** Of this home's person, on whatever device. */
  mine: boolean;
  sentAt: number;
  text: string;
  mentions: ChannelText['mentions'] | undefined;
  everyone: boolean;
  /** Descriptors, as bytes. */
  attachments: readonly Uint8Array[];
  edited: boolean;
  /** 0 as it was posted; the next edit has one more. */
  revision: number;
  deleted: boolean;
  /** By emoji. */
  reactions: ReadonlyMap<string, readonly AccountId[]>;
  pinned: boolean;
  reply: ShownReply | undefined;
  /** It calls this home's person. */
  calls: boolean;
  /** Who passed it on, where the author's device did not give its key itself. */
  sharedBy: AccountId | undefined;
  state: PostState;
  /** Why it failed. */
  reason: string | undefined;
}

/** In place of a post: it waits for its key, was refused, or removed. */
export interface HiddenPost {
  seq: number;
  author: AccountId;
  authorName: string;
  hidden: 'waiting' | 'refused' | 'gone';
  /** Why it was refused. */
  why: string | undefined;
}

export type Shown = ShownPost | HiddenPost;

export interface ChannelView {
  /** Ascending; own posts that wait come last. */
  posts: Shown[];
  /** Whether the island may have more in front of the first: `older` fetches it. */
  more: boolean;
}

export interface ViewParts {
  storage: Reading;
  state: SpaceState;
  self: AccountId;
}

const fetched = 64;

/** What a name stands for: members that left are shown by their account. */
const nameIn = ({ members }: SpaceState, account: AccountId): string =>
  members.get(account)?.name ?? account.slice(0, 8);

export async function channelView(
  { storage, state, self }: ViewParts,
  channel: ChannelId,
  { before, limit }: { before?: number; limit: number },
): Promise<ChannelView> {
  const posts: Shown[] = [];
  let after = before === undefined ? undefined : appendedKey(before);
  for (let left = true; left && posts.length < limit; ) {
    const range = { reverse: true, limit: fetched, ...(after !== undefined && { after }) };
    const rows = await storage.list(itemsOf(channel), range);
    left = rows.length === fetched;
    for (const row of rows) {
      after = row.key;
      const shown = await shownRow({ storage, state, self }, channel, row);
      if (shown) posts.unshift(shown);
      if (posts.length === limit) break;
    }
  }
  const [first] = posts;
  const lowest = (await readFeed(storage, channel)).ranges.at(0)?.from ?? 1;
  if (before === undefined) posts.push(...(await waitingHere({ storage, state, self }, channel)));
  return { posts, more: lowest > 1 || (first?.seq ?? 1) > lowest };
}

async function shownRow(
  parts: ViewParts,
  channel: ChannelId,
  row: Row,
): Promise<Shown | undefined> {
  const { state } = parts;
  const item = decodeItem(row);
  const seq = Number(row.key);
  const { author } = item;
  if (item.state !== 'open') {
    const { state: hidden, why } = item;
    return { seq, author, authorName: nameIn(state, author), hidden, why };
  }
  return shownText(parts, channel, seq, item);
}

async function shownText(
  parts: ViewParts,
  channel: ChannelId,
  seq: number,
  { author, device, id = '', sentAt = 0, body, calls, sharedBy }: FeedItemRow,
): Promise<ShownPost | undefined> {
  const { storage } = parts;
  const said = body && decodeChannelBody(body);
  if (said?.kind !== 'text') return undefined;
  // Who posts under an id a second time says nothing by it.
  if ((await placeOf(storage, channel, { author, id })) !== seq) return undefined;
  const post = await plain(parts, channel, { author, id, sentAt, body: said });
  const folded = { ...post, seq, device, calls: calls === true, sharedBy };
  return fold(storage, channel, folded);
}

/** A text as it was posted. */
async function plain(
  { storage, state, self }: ViewParts,
  channel: ChannelId,
  { author, id, sentAt, body }: PostName & { sentAt: number; body: ChannelText },
): Promise<ShownPost> {
  return {
    ...{ author, id, sentAt, key: undefined, seq: undefined, device: undefined },
    ...{ authorName: nameIn(state, author), mine: author === self },
    ...{ text: body.text, mentions: body.mentions, everyone: body.everyone === true },
    ...{ attachments: body.attachments ?? [], edited: false, revision: 0 },
    ...{ deleted: false, pinned: false },
    reactions: new Map(),
    reply: body.reply && (await replyTo({ storage, state }, channel, body.reply)),
    ...{ calls: false, sharedBy: undefined, state: 'sent', reason: undefined },
  };
}

async function replyTo(
  { storage, state }: Pick<ViewParts, 'storage' | 'state'>,
  channel: ChannelId,
  target: { author: AccountId; id: Uint8Array },
): Promise<ShownReply> {
  const { author } = target;
  const id = hex(target.id);
  const seq = await placeOf(storage, channel, { author, id });
  const item = seq === undefined ? undefined : await readItem(storage, channel, seq);
  const body = item?.body && decodeChannelBody(item.body);
  const there = body?.kind === 'text' ? body.text : undefined;
  const now = await fold(storage, channel, { author, id, text: there ?? '' });
  const text = there === undefined || now.deleted ? undefined : now.text;
  return { author, id, authorName: nameIn(state, author), text };
}

/** With every later word about the post. */
async function fold<P extends PostName & { text: string }>(
  storage: Reading,
  channel: ChannelId,
  post: P,
): Promise<P & Pick<ShownPost, 'edited' | 'revision' | 'deleted' | 'pinned' | 'reactions'>> {
  let { text } = post;
  let [revision, deleted, pin] = [0, false, false];
  const reactions = new Map<string, AccountId[]>();
  for (const { author, body } of await actsAbout(storage, channel, post)) {
    if (body.kind === 'delete') deleted = true;
    if (body.kind === 'pin') pin = body.put;
    if (body.kind === 'edit' && body.revision >= revision)
      [text, revision] = [body.text, body.revision];
    if (body.kind !== 'reaction') continue;
    const others = (reactions.get(body.emoji) ?? []).filter((each) => each !== author);
    reactions.set(body.emoji, body.put ? [...others, author] : others);
  }
  for (const [emoji, who] of reactions) if (who.length === 0) reactions.delete(emoji);
  const edited = revision > 0 && !deleted;
  const shown = { ...post, deleted, pinned: pin && !deleted, edited, revision };
  if (!deleted) return { ...shown, text, reactions };
  return {
    ...shown,
    text: '',
    attachments: [],
    mentions: undefined,
    reply: undefined,
    reactions: new Map(),
  };
}

/** What was said here and does not stand in the feed yet. */
async function waitingHere(parts: ViewParts, channel: ChannelId): Promise<ShownPost[]> {
  const { storage, self } = parts;
  const found: ShownPost[] = [];
  for (const { key, id, sentAt, body, state, reason, channel: of } of await ownPosts(storage)) {
    if (of !== channel || body.kind !== 'text') continue;
    const name = { author: self, id };
    if ((await placeOf(storage, channel, name)) !== undefined) continue;
    const post = await plain(parts, channel, { ...name, sentAt, body });
    found.push({ ...post, key, state, reason });
  }
  return found;
}

/** Pinned posts that this home has read, the last pinned first. */
export async function pinnedPosts(parts: ViewParts, channel: ChannelId): Promise<ShownPost[]> {
  const found: ShownPost[] = [];
  for (const name of await pinned(parts.storage, channel)) {
    const shown = await postOf(parts, channel, name);
    if (shown?.pinned) found.push(shown);
  }
  return found;
}

/** One post; `undefined` where this home has not read it. */
export async function postOf(
  parts: ViewParts,
  channel: ChannelId,
  name: PostName,
): Promise<ShownPost | undefined> {
  const seq = await placeOf(parts.storage, channel, name);
  const item = seq === undefined ? undefined : await readItem(parts.storage, channel, seq);
  return item && seq !== undefined ? shownText(parts, channel, seq, item) : undefined;
}
