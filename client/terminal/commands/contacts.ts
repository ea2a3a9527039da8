/** `islander let-in`, `block`, `unblock`: who may write to you. docs/protocol/dm.md §14 */
import type { AddCommand } from '../command.ts';
import { openHome } from '../home.ts';
import { tellDevices } from '../tell-devices.ts';

const decisions = [
  {
    usage: 'let-in <name>',
    about: 'lets somebody in who wrote to you first: from now on they see that messages came',
    examples: ['islander requests', 'islander let-in carol'],
    decide: 'accept',
    type: 'let-in',
    sentence: (name: string) => `${name} can write to you now.`,
  },
  {
    usage: 'block <name>',
    about: 'keeps somebody out: nothing that they send is shown, and they are not told',
    examples: ['islander block mallory'],
    decide: 'block',
    type: 'blocked',
    sentence: (name: string) => `${name} is blocked, on all of your devices.`,
  },
  {
    usage: 'unblock <name>',
    about: 'takes a block back: what they write is a request again',
    examples: ['islander unblock mallory'],
    decide: 'unblock',
    type: 'unblocked',
    sentence: (name: string) => `${name} is not blocked any more.`,
  },
] as const;

export function contactCommands(add: AddCommand): void {
  for (const { usage, about, examples, decide, type, sentence } of decisions)
    add(
      usage,
      about,
      examples,
      (command) => command,
      async (context, [name = '']) => {
        await using home = await openHome(context);
        await home.islander.conversations[decide](name);
        context.terminal.say(sentence(name), { type, name });
        await tellDevices(context, home);
      },
    );
}
