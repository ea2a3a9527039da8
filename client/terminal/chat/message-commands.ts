/** What is done to messages: `/reply 7 Yes`. */
import { Fault } from '@island/protocol/wire/fault.ts';
import { emojiOf } from '../emoji.ts';
import { type ChatCommand, firstOf, Mistake, needed } from './talk.ts';

export const messageCommands: readonly ChatCommand[] = [
  {
    name: 'reply',
    args: 'N TEXT',
    about: 'answers message N',
    async run({ islander, name, message, said }, rest) {
      const [called, text] = firstOf(rest);
      needed(text, 'Say which message, and what: /reply 7 Yes');
      const reply = (await message(called)).at;
      await said(await islander.conversations.say(name, text, { reply }));
    },
  },
  {
    name: 'edit',
    args: '[TEXT]',
    about: 'changes your last message, or puts it before you',
    async run({ islander, name, lastOfOurs, offer }, text) {
      const last = await lastOfOurs();
      if (!last) throw new Mistake('There is no message of yours here that could be changed.');
      if (text === '' && offer) return offer(`/edit ${last.text}`);
      needed(text, 'Say what it should be: /edit TEXT');
      await islander.conversations.edit(name, last.at, text);
    },
  },
  {
    name: 'delete',
    args: 'N',
    about: 'takes your message N back, its attachments too',
    async run({ islander, name, message }, rest) {
      const [called] = firstOf(rest);
      needed(called, 'Say which message: /delete 7');
      await islander.conversations.takeBack(name, (await message(called)).at);
    },
  },
  {
    name: 'react',
    args: 'N EMOJI',
    about: 'puts it on message N or off; +1, heart, laugh work',
    async run({ islander, name, message }, rest) {
      const [called, given] = firstOf(rest);
      const emoji = emojiOf(needed(given, 'Say which message, and what: /react 7 👍'));
      const { at, reactions } = await message(called);
      const there = reactions.some((each) => each.mine && each.emoji === emoji);
      await islander.conversations.react(name, at, emoji, !there).catch((error: unknown) => {
        if (error instanceof Fault && (error.code === 'malformed' || error.code === 'too_large'))
          throw new Mistake('A reaction is one emoji: /react 7 👍');
        throw error;
      });
    },
  },
];
