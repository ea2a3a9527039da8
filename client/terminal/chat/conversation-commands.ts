/** What is about a conversation as a whole: how long messages live, who may write, who it is. */
import { durationText, parseDuration } from '../amounts.ts';
import { foundLines } from '../found.ts';
import { numberLines, seenDirectory } from '../safety.ts';
import { type ChatCommand, Mistake, needed } from './talk.ts';

export const conversationCommands: readonly ChatCommand[] = [
  {
    name: 'timer',
    args: '30s|5m|8h|1d|4w|off',
    about: 'how long messages live from now on',
    async run({ islander, name, tell }, rest) {
      if (rest === '') {
        const seconds = await islander.conversations.timer(name);
        tell(
          [seconds > 0 ? `Messages disappear after ${durationText(seconds)}.` : 'Messages stay.'],
          { type: 'timer', seconds },
        );
        return;
      }
      const seconds = parseDuration(rest);
      if (seconds === undefined) throw new Mistake('Say how long: /timer 1d, or /timer off');
      await islander.conversations.setTimer(name, seconds);
    },
  },
  {
    name: 'more',
    args: '',
    about: 'shows older messages (Page Up does, too)',
    run: ({ more }) => more?.(),
  },
  {
    name: 'search',
    args: 'WORDS',
    about: 'finds messages of this conversation',
    async run({ islander, name, tell }, rest) {
      needed(rest, 'Say what to look for: /search WORDS');
      const found = await islander.conversations.search(rest, { with: name, limit: 15 });
      tell(foundLines(found), { type: 'found', total: found.total });
    },
  },
  {
    name: 'verify',
    args: '[yes|no]',
    about: 'the number to compare; yes when it is the same',
    async run({ islander, storage, name, tell }, rest) {
      if (rest === 'yes' || rest === 'no') {
        await islander.conversations.setVerified(name, rest === 'yes');
        tell([rest === 'yes' ? `${name} is verified.` : `${name} is not verified any more.`]);
        return;
      }
      const { number, verified } = await islander.conversations.verification(name);
      const seen = await seenDirectory(storage);
      tell([...numberLines(name, number, verified), ...seen.lines], {
        ...{ type: 'safety-number', name, number, verified },
        ...seen.object,
      });
    },
  },
  {
    name: 'read',
    args: '[N]',
    about: 'message N was read and all before it, or all of it',
    async run({ islander, name, message }, rest) {
      await islander.conversations.read(name, rest === '' ? undefined : (await message(rest)).at);
    },
  },
  {
    name: 'accept',
    args: '',
    about: 'lets somebody in who wrote to you first',
    run: ({ islander, name }) => islander.conversations.accept(name),
  },
  {
    name: 'block',
    args: '',
    about: 'keeps this person out; they are not told',
    run: ({ islander, name }) => islander.conversations.block(name),
  },
  {
    name: 'unblock',
    args: '',
    about: 'takes that back',
    run: ({ islander, name }) => islander.conversations.unblock(name),
  },
];
