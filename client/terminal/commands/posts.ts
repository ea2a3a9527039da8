/** `islander history`, `unread`, `edit`, `delete`, `react`, `pin`, `unpin`, `pins`, `share-history`: what is said in channels. */
import { may } from '@island/protocol/space/permissions.ts';
import type { ShownPost } from '../../channels/view.ts';
import { type AtPlace, allPosted, atPlace, readPlace } from '../channels/at-place.ts';
import { postLine, postObject } from '../channels/post-lines.ts';
import { postCalled } from '../channels/posts.ts';
import { unreadTexts } from '../channels/unread.ts';
import type { AddCommand } from '../command.ts';
import { emojiOf } from '../emoji.ts';
import { openHome } from '../home.ts';
import { PartlyFailed } from '../partly-failed.ts';
import { rows } from '../rows.ts';
import { memberNamed } from '../servers/naming.ts';
import { channelsInOrder, channelText, titleOf } from '../servers/shown.ts';
import { tellDevices } from '../tell-devices.ts';
import { usage } from '../usage.ts';

export function postCommands(add: AddCommand): void {
  historyCommand(add);
  unreadCommand(add);
  for (const act of acts) actCommand(add, act);
  pinsCommand(add);
  shareCommand(add);
}

function historyCommand(add: AddCommand): void {
  add(
    'history <channel>',
    'what was said in a channel',
    ["islander history '#general'", "islander history 'Book club/#general' --last 200 --json"],
    (command) => command.option('--last <n>', 'how many of the newest posts', '50'),
    async (context, [name = ''], { last }) => {
      const most = Number(last);
      if (!Number.isInteger(most) || most < 1 || most > 10_000)
        throw usage(context.terminal, '--last is a whole number from 1 to 10000.');
      await atPlace(context, name, async (at) => {
        await readPlace(at);
        const { islander, place, terminal } = at;
        const id = place.channel.channel;
        const { space } = place.state;
        for (;;) {
          const { posts, more } = await islander.channels.view(space, id, { limit: most });
          const first = posts[0]?.seq;
          if (!more || posts.length >= most || first === undefined) break;
          if (!(await islander.channels.older(space, id, first, context.signal))) break;
        }
        const { posts } = await islander.channels.view(space, id, { limit: most });
        for (const post of posts)
          terminal.say(postLine(place, post, channelText(place.channel)), postObject(place, post));
        if (posts.length === 0 && !terminal.json) terminal.say('Nothing was said here yet.', {});
      });
    },
  );
}

function unreadCommand(add: AddCommand): void {
  add(
    'unread',
    'where something is that you have not read: people and channels',
    ['islander unread', 'islander unread --json'],
    (command) => command,
    async (context) => {
      const { terminal } = context;
      await using home = await openHome(context);
      const { spaces, channels, account, conversations } = home.islander;
      const lines: string[][] = [];
      for (const { name, unread, standing } of await conversations.list()) {
        if (unread === 0 || standing === 'blocked') continue;
        lines.push([name, `${unread} new`, '']);
        if (terminal.json) terminal.say('', { type: 'unread', name, posts: unread, calls: 0 });
      }
      for (const state of await spaces.refresh(context.signal))
        for (const channel of channelsInOrder(state, account.account)) {
          if (channel.kind !== 'text') continue;
          await channels.catchUp(state.space, channel.channel, context.signal);
          const { posts, calls } = await unreadTexts(
            home.storage,
            channel.channel,
            account.account,
          );
          const notify = await channels.notify(channel.channel);
          if (posts === 0) continue;
          const where = `${titleOf(state)}/${channelText(channel)}`;
          lines.push([where, `${posts} new`, calls > 0 ? `@ ${calls}` : '']);
          const of = { server: state.space, title: state.title, channel: channel.channel };
          if (terminal.json)
            terminal.say('', { type: 'unread', ...of, name: channel.name, posts, calls, notify });
        }
      if (!terminal.json)
        terminal.say(lines.length > 0 ? rows(lines) : 'You have read everything.', {});
    },
  );
}

interface PostAct {
  usage: string;
  about: string;
  examples: readonly string[];
  type: string;
  run(at: AtPlace, post: ShownPost, words: readonly string[]): Promise<string>;
}

const acts: readonly PostAct[] = [
  {
    usage: 'edit <channel> <post> <text...>',
    about: 'changes a post of yours; a post is its number or the beginning of its id',
    examples: ["islander edit '#general' 12 What I meant was this"],
    type: 'edited',
    async run({ acts: { edit } }, post, words) {
      await edit(post, words.join(' '));
      return 'It is changed.';
    },
  },
  {
    usage: 'delete <channel> <post>',
    about: 'takes a post of yours back; or removes one of somebody else, where you may',
    examples: ["islander delete '#general' 12"],
    type: 'deleted',
    async run({ acts: { remove }, signal }, post) {
      await remove(post, signal);
      return post.mine ? 'It is taken back.' : `The post of ${post.authorName} is removed.`;
    },
  },
  {
    usage: 'react <channel> <post> <emoji>',
    about: 'puts an emoji on a post, or takes it away; +1, heart, laugh stand for some',
    examples: ["islander react '#general' 12 +1"],
    type: 'reacted',
    async run({ acts: { react }, islander }, post, [given = '']) {
      const emoji = emojiOf(given);
      const there = post.reactions.get(emoji)?.includes(islander.account.account) === true;
      await react(post, emoji, !there);
      return there ? `${emoji} is taken away.` : `${emoji} is on it.`;
    },
  },
  ...[true, false].map(
    (put): PostAct => ({
      usage: `${put ? 'pin' : 'unpin'} <channel> <post>`,
      about: put ? 'pins a post, for everybody' : 'takes a pinned post down',
      examples: [`islander ${put ? 'pin' : 'unpin'} '#general' 12`],
      type: put ? 'pinned' : 'unpinned',
      async run({ acts: { pin } }, post) {
        await pin(post, put);
        return put ? 'It is pinned.' : 'It is pinned no more.';
      },
    }),
  ),
];

function actCommand(add: AddCommand, { usage: how, about, examples, type, run }: PostAct): void {
  add(
    how,
    about,
    examples,
    (command) => command,
    async (context, [name = '', called = '', ...words]) => {
      await atPlace(context, name, async (at) => {
        const { islander, place, terminal } = at;
        await readPlace(at);
        const post = await postCalled(islander, place, called);
        const sentence = await run(at, post, words);
        const failed = await allPosted(at);
        for (const reason of failed) terminal.stderr.write(`islander: ${reason}\n`);
        if (failed.length > 0) throw new PartlyFailed();
        terminal.say(sentence, { ...postObject(place, post), type });
      });
    },
  );
}

function pinsCommand(add: AddCommand): void {
  add(
    'pins <channel>',
    'the pinned posts of a channel, the last pinned first',
    ["islander pins '#general'"],
    (command) => command,
    async (context, [name = '']) => {
      await atPlace(context, name, async (at) => {
        await readPlace(at);
        const { islander, place, terminal } = at;
        const pinned = await islander.channels.pinned(place.state.space, place.channel.channel);
        for (const post of pinned)
          terminal.say(postLine(place, post, channelText(place.channel)), postObject(place, post));
        if (pinned.length === 0 && !terminal.json) terminal.say('Nothing is pinned here.', {});
      });
    },
  );
}

function shareCommand(add: AddCommand): void {
  add(
    'share-history <channel> <name>',
    'lets a member whose keys you compared read what was said before they came, where the channel allows it',
    ['islander verify bob --yes', "islander share-history '#general' bob"],
    (command) => command,
    async (context, [name = '', who = '']) => {
      await atPlace(context, name, async (at) => {
        const { islander, place, terminal, signal } = at;
        await readPlace(at);
        const { account } = memberNamed(place.state, who);
        if (!may(place.state, islander.account.account, 'view', place.channel)) return;
        const { space } = place.state;
        const chains = await islander.channels.share(space, place.channel.channel, account, signal);
        terminal.say(
          `${who} can read what was said in ${channelText(place.channel)} before, as you can.`,
          {
            ...{ type: 'history-shared', name: who, chains },
          },
        );
        await tellDevices(context, { islander, storage: at.storage });
      });
    },
  );
}
