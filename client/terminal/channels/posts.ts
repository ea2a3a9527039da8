/** What is said and done in a channel, from what a person types: mentions, answers, edits, reactions, pins. */
import type { ChannelBody, ChannelText } from '@island/protocol/crypto/channel-body.ts';
import { may } from '@island/protocol/space/permissions.ts';
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import { createBell } from '../../bell.ts';
import { ownPosts } from '../../channels/post-rows.ts';
import type { ShownPost } from '../../channels/view.ts';
import type { Islander } from '../../islander.ts';
import { Problem } from '../../problem.ts';
import type { Storage } from '../../storage/storage.ts';
import type { ChannelPlace } from '../servers/naming.ts';

/** `@bob` calls bob, `@everyone` all who read there, as far as there are such members. */
export function textBody(
  { state }: Pick<ChannelPlace, 'state'>,
  text: string,
  more: Pick<ChannelText, 'reply' | 'attachments'> = {},
): ChannelText {
  const byName = new Map([...state.members].map(([account, { name }]) => [name, account]));
  const mentions = [...text.matchAll(/(?<![\w.@-])@([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)/g)].flatMap(
    ({ index, 0: whole, 1: name = '' }) => {
      const account = byName.get(name);
      const start = utf8Bytes(text.slice(0, index)).length;
      return account === undefined ? [] : [{ account, start, length: utf8Bytes(whole).length }];
    },
  );
  const everyone = /(?<![\w.@-])@everyone(?![\w.-])/.test(text);
  return {
    kind: 'text',
    text,
    ...(mentions.length > 0 && { mentions: mentions.slice(0, 50) }),
    ...(everyone && { everyone: true }),
    ...more,
  };
}

export const targetOf = ({ author, id }: Pick<ShownPost, 'author' | 'id'>) => ({
  author,
  id: fromHex(id),
});

/** What is done to a post. Throws `not_yours`, `act_not_permitted`. */
export interface Acts {
  edit(post: ShownPost, text: string): Promise<void>;
  /** Of one's own; others' posts are removed by an entry of the log. */
  remove(post: ShownPost, signal?: AbortSignal): Promise<void>;
  react(post: ShownPost, emoji: string, put: boolean): Promise<void>;
  pin(post: ShownPost, put: boolean): Promise<void>;
}

export function actsIn({ channels, spaces, account }: Islander, place: ChannelPlace): Acts {
  const { state, channel } = place;
  const { space } = state;
  const post = async (body: ChannelBody): Promise<void> => {
    await channels.post(space, channel.channel, body);
  };
  const demand = (permission: Parameters<typeof may>[2]): void => {
    if (!may(state, account.account, permission, channel)) throw new Problem('act_not_permitted');
  };
  return {
    async edit(of, text) {
      if (!of.mine) throw new Problem('not_yours', { name: of.authorName });
      await post({ kind: 'edit', id: fromHex(of.id), revision: of.revision + 1, text });
    },
    async remove(of, signal) {
      if (of.state === 'failed') {
        await channels.discard(channel.channel, of.id);
        return;
      }
      if (of.mine) {
        await post({ kind: 'delete', id: fromHex(of.id) });
        if (of.seq !== undefined) await channels.takeBack(channel.channel, [of.seq], signal);
        return;
      }
      demand('managePosts');
      if (of.seq === undefined) throw new Problem('message_gone');
      const op = { op: 'removePosts', channel: channel.channel, seqs: [of.seq] } as const;
      await spaces.act(space, op, signal);
    },
    async react(of, emoji, put) {
      demand('react');
      await post({ kind: 'reaction', target: targetOf(of), put, emoji }).catch((error: unknown) => {
        const form = error instanceof Fault && ['malformed', 'too_large'].includes(error.code);
        throw form ? new Problem('reaction_form', {}, { cause: error }) : error;
      });
    },
    async pin(of, put) {
      demand('pin');
      await post({ kind: 'pin', target: targetOf(of), put });
    },
  };
}

export interface Departed {
  id: string;
  state: 'sent' | 'failed';
  seq: number | undefined;
  reason: string | undefined;
}

/** What becomes of queued posts, each once, until aborted. */
export async function* departedPosts(
  storage: Storage,
  ids: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Departed> {
  const left = new Set(ids);
  using changed = createBell(signal);
  using _watch = storage.watch(changed.ring);
  while (left.size > 0 && !signal.aborted) {
    const rows = new Map((await ownPosts(storage)).map((row) => [row.id, row]));
    for (const id of [...left]) {
      const row = rows.get(id);
      if (row?.state === 'queued') continue;
      left.delete(id);
      // What stands in the feed already has no row any more.
      const state = row?.state === 'failed' ? 'failed' : 'sent';
      yield { id, state, seq: row?.seq, reason: row?.reason };
    }
    if (left.size > 0) await changed.next();
  }
}

/** A post by its number in the channel, or the beginning of its id. Throws `message_gone`. */
export async function postCalled(
  { channels }: Islander,
  { state, channel }: ChannelPlace,
  called: string,
): Promise<ShownPost> {
  const text = called.replace(/^#/, '');
  const byNumber = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  const byId = /^[0-9a-f]{8,32}$/.test(text);
  for (let before: number | undefined = byNumber === undefined ? undefined : byNumber + 1; ; ) {
    const range = {
      limit: byNumber === undefined ? 200 : 1,
      ...(before !== undefined && { before }),
    };
    const { posts } = await channels.view(state.space, channel.channel, range);
    const found = posts.find(
      (each): each is ShownPost =>
        !('hidden' in each) && (each.seq === byNumber || (byId && each.id.startsWith(text))),
    );
    if (found) return found;
    const first = posts.find(({ seq }) => seq !== undefined)?.seq;
    if (byNumber !== undefined || first === undefined || first <= 1)
      throw new Problem('message_gone');
    before = first;
  }
}

/** Whose they are called, in a state of the server. */
export const namesOf = ({ members }: SpaceState, accounts: readonly string[]): string[] =>
  accounts.map((account) => members.get(account as never)?.name ?? account.slice(0, 8));
