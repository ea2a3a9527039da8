/** `islander chat` at a terminal: opens the window of a conversation, and says what is left when it closes. */
import type { Conversations } from '../../conversation/conversations.ts';
import type { IslanderEvent } from '../../islander.ts';
import type { Context } from '../command.ts';
import { type Home, openHome } from '../home.ts';
import { eventStatus, openTerminal, statedFailure } from '../terminal.ts';
import { converse } from './converse.ts';

export async function chatWindow(context: Context, name: string): Promise<void> {
  const { stderr } = context.terminal;
  // Before the window is open, and after it has closed, things are said as everywhere.
  const aside = (text: string): void => void stderr.write(`${text}\n`);
  const hearing = { say: aside, hear: (_event: IslanderEvent): boolean => false };
  const terminal = openTerminal(context.terminal, false, (text) => hearing.say(text));
  const otherwise = eventStatus(terminal);
  await using home = await openHome({ ...context, terminal }, (event) => {
    if (!hearing.hear(event)) otherwise(event);
  });
  const { conversations } = home.islander;
  await checkName(home, name);
  home.islander.startSending();
  const { draft, unfinished } = await converse(context, home, name, hearing);
  hearing.say = aside;
  await conversations.keepDraft(name, draft);
  await tellWaiting(conversations, name, aside);
  for (const line of unfinished)
    aside(`Broke off, and goes on where it was when you type it again: ${line}`);
}

/** A name that nobody has is said at once, not with the first message. */
async function checkName({ islander }: Home, name: string): Promise<void> {
  const unlessBlocked = (error: unknown): void => {
    if (statedFailure(error)?.code !== 'blocked') throw error;
  };
  await Promise.race([islander.send(name, []).catch(unlessBlocked), islander.failed]);
}

async function tellWaiting(
  conversations: Conversations,
  name: string,
  say: (text: string) => void,
): Promise<void> {
  const shown = await conversations.view(name);
  const waits = shown.filter((each) => each.type === 'message' && each.state === 'queued').length;
  if (waits === 0) return;
  const what = waits === 1 ? '1 message waits' : `${waits} messages wait`;
  say(`${what} to be sent: the next send, listen or chat does it.`);
}
