/** What a person types in a channel that is no post: `/reply 12 Yes`. */
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import type { Moving } from '../../../attachments/enclosing.ts';
import { notifyChoices } from '../../../channels/unread.ts';
import type { ShownPost } from '../../../channels/view.ts';
import type { Islander } from '../../../islander.ts';
import { durationText, parseDuration } from '../../amounts.ts';
import { attachmentsOf } from '../../attached.ts';
import type { Acts } from '../../channels/posts.ts';
import { emojiOf } from '../../emoji.ts';
import { channelOp } from '../../servers/at-channel.ts';
import { type ChannelPlace, memberNamed } from '../../servers/naming.ts';
import { memberMarks, membersInOrder } from '../../servers/shown.ts';
import { fileAt } from '../paths.ts';
import { firstOf, Mistake, needed } from '../talk.ts';

export interface ChannelTalk {
  islander: Islander;
  /** As it is now. */
  place(): ChannelPlace;
  acts(): Acts;
  signal: AbortSignal;
  /** By number, or the beginning of an id. */
  post(called: string): Promise<ShownPost>;
  lastOfOurs(): ShownPost | undefined;
  say(text: string, more?: { reply?: ShownPost; files?: readonly string[] }): Promise<void>;
  tell(lines: readonly string[]): void;
  onProgress(moving: Moving): void;
  offer(line: string): void;
  more(): Promise<void>;
  list(): Promise<readonly string[]>;
  go(where: string): Promise<void>;
  quit(): void;
}

export interface ChannelCommand {
  name: string;
  args: string;
  /** Empty where another one says it. */
  about: string;
  run(talk: ChannelTalk, rest: string): Promise<void> | void;
}

const changed = (
  { islander, place, signal }: ChannelTalk,
  op: (state: SpaceState) => Parameters<Islander['spaces']['act']>[1],
): Promise<number> => {
  const { state } = place();
  return islander.spaces.act(state.space, op(state), signal);
};

export const channelCommands: readonly ChannelCommand[] = [
  {
    ...{ name: 'reply', args: 'N TEXT', about: 'answers post N' },
    async run({ post, say }, rest) {
      const [called, text] = firstOf(rest);
      needed(text, 'Say which post, and what: /reply 12 Yes');
      await say(text, { reply: await post(called) });
    },
  },
  {
    ...{ name: 'edit', args: '[TEXT]', about: 'changes your last post, or puts it before you' },
    async run({ lastOfOurs, offer, acts }, text) {
      const last = lastOfOurs();
      if (!last) throw new Mistake('There is no post of yours here that could be changed.');
      if (text === '') return offer(`/edit ${last.text}`);
      await acts().edit(last, text);
    },
  },
  {
    ...{
      name: 'delete',
      args: 'N',
      about: 'takes your post N back; moderators remove any',
    },
    async run({ post, acts, signal }, rest) {
      await acts().remove(await post(needed(rest, 'Say which post: /delete 12')), signal);
    },
  },
  {
    ...{ name: 'react', args: 'N EMOJI', about: 'puts it on post N or off; +1, heart, laugh work' },
    async run({ post, acts, islander }, rest) {
      const [called, given] = firstOf(rest);
      const emoji = emojiOf(needed(given, 'Say which post, and what: /react 12 👍'));
      const of = await post(called);
      const there = of.reactions.get(emoji)?.includes(islander.account.account) === true;
      await acts().react(of, emoji, !there);
    },
  },
  {
    ...{
      name: 'attach',
      args: 'PATH [TEXT]',
      about: 'posts a file; a path with spaces in "quotes"',
    },
    async run({ say }, rest) {
      const [path, text] = fileAt(needed(rest, 'Say which file: /attach PATH'));
      await say(text, { files: [path] });
    },
  },
  {
    ...{ name: 'save', args: 'N [PATH]', about: 'saves the attachments of post N' },
    async run({ islander, post, onProgress, signal, tell }, rest) {
      const [called, path] = firstOf(rest);
      const attachments = attachmentsOf(await post(needed(called, 'Say which post: /save 12')));
      if (attachments.length === 0) throw new Mistake('That post has no attachment.');
      const [to] = fileAt(path || '.');
      for (const each of attachments)
        tell([`Saved: ${await islander.save(each, to, { onProgress, signal })}`]);
    },
  },
  ...[true, false].map(
    (put): ChannelCommand => ({
      name: put ? 'pin' : 'unpin',
      args: 'N',
      about: put ? 'pins post N, for everybody; /unpin N takes it down' : '',
      async run({ post, acts }, rest) {
        await acts().pin(await post(needed(rest, 'Say which post: /pin 12')), put);
      },
    }),
  ),
  {
    ...{ name: 'pins', args: '', about: 'what is pinned here' },
    async run({ islander, place, tell }) {
      const { state, channel } = place();
      const pinned = await islander.channels.pinned(state.space, channel.channel);
      const lines = pinned.map(({ seq, authorName, text }) => `${seq} ${authorName}: ${text}`);
      tell(lines.length > 0 ? lines : ['Nothing is pinned here.']);
    },
  },
  {
    ...{ name: 'members', args: '', about: 'who is on this server' },
    run({ place, tell }) {
      const { state } = place();
      const lines = membersInOrder(state).map(([account, { name }]) =>
        [name, ...memberMarks(state, account, Date.now())].join(' · '),
      );
      tell(lines);
    },
  },
  {
    ...{
      name: 'topic',
      args: '[TEXT]',
      about: 'what this channel is about; with text, another one',
    },
    async run(talk, topic) {
      const { channel } = talk.place();
      if (topic === '')
        return talk.tell([channel.topic === '' ? 'There is no topic.' : channel.topic]);
      await changed(talk, () => channelOp({ ...channel, topic }));
    },
  },
  {
    ...{ name: 'kick', args: 'NAME [REASON]', about: 'removes a member from the server' },
    async run(talk, rest) {
      const [name, reason] = firstOf(needed(rest, 'Say whom: /kick NAME'));
      const { account } = memberNamed(talk.place().state, name);
      await changed(talk, () => ({ op: 'kick', account, reason }));
      talk.tell([`${name} is not here any more, and reads nothing that follows.`]);
    },
  },
  {
    ...{
      name: 'timeout',
      args: 'NAME 1h',
      about: 'a member posts nothing for so long; off ends it',
    },
    async run(talk, rest) {
      const [name, time] = firstOf(needed(rest, 'Say whom, and how long: /timeout NAME 1h'));
      const seconds = parseDuration(time || '1h');
      if (seconds === undefined) throw new Mistake('A time is 10m, 1h, 1d, or off.');
      const { account } = memberNamed(talk.place().state, name);
      const until = seconds === 0 ? 0 : Math.floor(Date.now() / 1000) + seconds;
      await changed(talk, () => ({ op: 'timeout', account, until, reason: '' }));
      talk.tell([
        until === 0
          ? `${name} can post again.`
          : `${name} posts nothing for ${durationText(seconds)}.`,
      ]);
    },
  },
  {
    ...{ name: 'notify', args: '[all|mentions|none]', about: 'what of this channel you are told' },
    async run({ islander, place, tell }, what) {
      const id = place().channel.channel;
      const chosen = notifyChoices.find((each) => each === what);
      if (what !== '' && !chosen) throw new Mistake('It is all, mentions or none.');
      if (chosen) await islander.channels.setNotify(id, chosen);
      tell([`You are told of ${await islander.channels.notify(id)}.`]);
    },
  },
  {
    ...{ name: 'list', args: '', about: 'your channels and people, and what is unread' },
    run: async ({ list, tell }) => tell(await list()),
  },
  {
    ...{
      name: 'go',
      args: '#CHANNEL|NAME',
      about: 'another channel, or a person (Alt-↑, Alt-↓, too)',
    },
    run: ({ go }, where) => go(needed(where, 'Say where: /go #plans')),
  },
  {
    ...{ name: 'more', args: '', about: 'shows older posts (Page Up does, too)' },
    run: ({ more }) => more(),
  },
  { ...{ name: 'quit', args: '', about: 'leaves the window' }, run: ({ quit }) => quit() },
  { ...{ name: 'help', args: '', about: '' }, run: ({ tell }) => tell(helpLines()) },
];

function helpLines(): string[] {
  const told = channelCommands.filter(({ about }) => about !== '');
  const usages = told.map(({ name, args }) => `/${name} ${args}`.trim());
  const wide = Math.max(...usages.map(({ length }) => length));
  const lines = channelCommands.map(
    ({ about }, i) => `${(usages[i] ?? '').padEnd(wide)}  ${about}`,
  );
  return [...lines, 'A line that begins with // is posted as it is, with one / less.'];
}

/** By its name, or a beginning of it that no other has. Throws `Mistake`, and what its work throws. */
export async function runChannelCommand(talk: ChannelTalk, line: string): Promise<void> {
  const [, typed = '', rest = ''] = /^\/(\S*)\s*([\s\S]*)$/u.exec(line) ?? [];
  const matching = channelCommands.filter(({ name }) => typed !== '' && name.startsWith(typed));
  const exact =
    matching.find(({ name }) => name === typed) ??
    (matching.length === 1 ? matching[0] : undefined);
  if (!exact) throw new Mistake(`There is no /${typed}; /help shows what there is.`);
  await exact.run(talk, rest.trim());
}

/** Commands, and names behind an @. */
export function completions(line: string, state: SpaceState): { line: string; choices: string[] } {
  const [, head = '', begun] = /^([\s\S]*?)(\/[a-z]*|@[a-z0-9._-]*)$/u.exec(line) ?? [];
  if (begun === undefined || (begun.startsWith('/') && head !== '')) return { line, choices: [] };
  const all = begun.startsWith('/')
    ? channelCommands.map(({ name }) => `/${name}`)
    : ['@everyone', ...[...state.members.values()].map(({ name }) => `@${name}`)];
  const found = all.filter((each) => each.startsWith(begun));
  let common = found[0] ?? begun;
  while (!found.every((each) => each.startsWith(common))) common = common.slice(0, -1);
  return {
    line: `${head}${common}${found.length === 1 ? ' ' : ''}`,
    choices: found.length > 1 ? found.slice(0, 20) : [],
  };
}
