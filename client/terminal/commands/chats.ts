/** `islander chats`, `islander requests`: with whom there are conversations, and who wants to begin one. */
import type { Conversation } from '../../conversation/conversation-list.ts';
import { attachmentsOf, attachmentText } from '../attached.ts';
import type { AddCommand, Context } from '../command.ts';
import { clockTime } from '../dates.ts';
import { openHome } from '../home.ts';
import { rows } from '../rows.ts';
import { cut } from '../screen/columns.ts';
import { harmless, type Terminal } from '../terminal.ts';

export function chatsCommand(add: AddCommand): void {
  add(
    'chats',
    'your conversations, the newest first: who, how many new messages, how the last one begins',
    ['islander chats', 'islander chats --json'],
    (command) => command,
    async (context) => {
      const all = await listed(context);
      const open = all.filter(({ standing }) => standing !== 'request');
      const requests = all.length - open.length;
      show(
        context.terminal,
        open,
        'No conversations yet that this device knows of. Begin one with islander chat NAME; islander listen fetches what came meanwhile.',
      );
      if (requests > 0 && !context.terminal.json)
        context.terminal.stdout.write(
          `\n${requests === 1 ? 'Somebody wants' : `${requests} people want`} to write to you: islander requests\n`,
        );
    },
  );
}

export function requestsCommand(add: AddCommand): void {
  add(
    'requests',
    'who wrote to you first and was not let in: they do not learn what you do about it',
    ['islander requests', 'islander let-in carol', 'islander block carol'],
    (command) => command,
    async (context) => {
      const all = await listed(context);
      const requests = all.filter(({ standing }) => standing === 'request');
      show(
        context.terminal,
        requests,
        'Nobody is waiting to be let in, as far as this device knows: islander listen fetches what came meanwhile.',
      );
      if (requests.length > 0 && !context.terminal.json)
        context.terminal.stdout.write(
          '\nTo read all of it: islander chat NAME. Then: islander let-in NAME, or islander block NAME.\n',
        );
    },
  );
}

async function listed(context: Context): Promise<Conversation[]> {
  await using home = await openHome(context);
  return await home.islander.conversations.list();
}

function show(terminal: Terminal, all: readonly Conversation[], none: string): void {
  if (terminal.json) {
    for (const each of all) terminal.say('', conversationObject(each));
    return;
  }
  if (all.length === 0) {
    terminal.say(none, {});
    return;
  }
  const columns = terminal.stdout.columns || 80;
  const table = rows(
    all.map((each) => [
      each.name,
      each.unread > 0 ? `${each.unread} new` : '',
      each.newest ? clockTime(each.newest.time) : '',
      lastLine(each),
    ]),
  );
  terminal.say(
    table
      .split('\n')
      .map((line) => cut(line, columns))
      .join('\n'),
    {},
  );
}

function lastLine({ newest, excerpt, draft, standing, verified }: Conversation): string {
  const marks = [
    ...(standing === 'blocked' ? ['[blocked]'] : []),
    ...(draft ? ['[draft]'] : []),
    ...(verified ? ['[verified]'] : []),
  ];
  return [...marks, said()].join(' ');

  function said(): string {
    if (!newest) return '';
    if (newest.type === 'unreadable') return `(${harmless(newest.reason)})`;
    const who = newest.direction === 'out' ? 'you: ' : '';
    if (newest.deleted) return `${who}(taken back)`;
    const [file] = attachmentsOf(newest);
    return `${who}${excerpt === '' && file ? `📎 ${attachmentText(file)}` : harmless(excerpt)}`;
  }
}

const conversationObject = (each: Conversation): Record<string, unknown> => ({
  type: 'conversation',
  name: each.name,
  standing: each.standing,
  unread: each.unread,
  verified: each.verified,
  draft: each.draft,
  last: each.excerpt,
  ...(each.newest && { time: each.newest.time }),
});
