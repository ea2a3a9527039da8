/**
 * Posts that a person, or a program, has not been told of: each once, also over restarts.
 *
 *     channel-told    channel    { upTo, open }    the newest that was told, and places before it that were not yet
 */
import { may } from '@island/protocol/space/permissions.ts';
import type { ChannelId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { createBell } from '../../bell.ts';
import type { Shown } from '../../channels/view.ts';
import type { Islander } from '../../islander.ts';
import { decodeRecord, encodeRecord } from '../../storage/record.ts';
import type { Storage } from '../../storage/storage.ts';
import type { ChannelPlace } from '../servers/naming.ts';

const record = v.strictObject({ upTo: s.count, open: v.array(s.count) });
type Told = v.InferOutput<typeof record>;

const namespace = 'channel-told';
/** Places whose key is still awaited; of more the oldest are given up. */
const mostOpen = 200;
const page = 200;

export interface ArrivedPost {
  place: ChannelPlace;
  post: Shown;
}

/** `only`: of one channel; what comes in others stays to be told. */
export async function* arrivedPosts(
  { spaces, channels, account }: Islander,
  storage: Storage,
  signal: AbortSignal,
  only?: ChannelId,
): AsyncGenerator<readonly ArrivedPost[]> {
  using changed = createBell(signal);
  using _watch = storage.watch(changed.ring);
  while (!signal.aborted) {
    for (const state of await spaces.all())
      for (const channel of state.channels.values()) {
        if (channel.kind !== 'text' || !may(state, account.account, 'view', channel)) continue;
        if (only !== undefined && channel.channel !== only) continue;
        const place = { state, channel };
        const told = await readTold(channel.channel);
        const found = await since(place, told);
        if (found.fresh.length === 0 && found.told.upTo === told.upTo) continue;
        if (found.fresh.length > 0) yield found.fresh.map((post) => ({ place, post }));
        const bytes = encodeRecord(found.told);
        await storage.commit({ put: [{ namespace, key: channel.channel, bytes }] });
      }
    await changed.next();
  }

  async function readTold(channel: ChannelId): Promise<Told> {
    const row = await storage.read(namespace, channel);
    return row ? decodeRecord(record, row) : { upTo: 0, open: [] };
  }

  /** What is a person's own was said here or on another device: it is no news. */
  async function since({ state, channel }: ChannelPlace, { upTo, open }: Told) {
    const lowest = Math.min(upTo, ...open.map((seq) => seq - 1));
    const found: Shown[] = [];
    for (let before: number | undefined; ; ) {
      const range = { limit: page, ...(before !== undefined && { before }) };
      const { posts } = await channels.view(state.space, channel.channel, range);
      const placed = posts.filter(({ seq }) => seq !== undefined && seq > lowest);
      found.unshift(...placed);
      const first = posts[0]?.seq;
      if (placed.length < page || first === undefined || first <= lowest + 1) break;
      before = first;
    }
    const waits = (post: Shown): boolean => 'hidden' in post && post.hidden === 'waiting';
    const isFresh = ({ seq = 0 }: Shown): boolean => seq > upTo || open.includes(seq);
    const fresh = found.filter((post) => isFresh(post) && !waits(post));
    const still = found.filter((post) => isFresh(post) && waits(post));
    const told: Told = {
      upTo: Math.max(upTo, ...found.map(({ seq }) => seq ?? 0)),
      open: still.map(({ seq }) => seq ?? 0).slice(-mostOpen),
    };
    const news = fresh.filter((post) => 'hidden' in post || (!post.mine && !post.deleted));
    return { fresh: news, told };
  }
}
