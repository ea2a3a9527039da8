/** `islander accept`: goes on with somebody whose identity was begun anew. */

import { Problem } from '../../problem.ts';
import type { AddCommand } from '../command.ts';
import { openHome } from '../home.ts';

export function acceptCommand(add: AddCommand): void {
  add(
    'accept <name>',
    'goes on with a person who began anew with other keys, once you know that it was them',
    ['islander accept bob'],
    (command) => command,
    async (context, [name = '']) => {
      await using home = await openHome(context);
      const { people } = home.islander;
      const before = await people.find(name, context.signal).catch(unlessChanged);
      const { list } = await people.accept(name, context.signal);
      const changed = before === undefined || before.list.resetCounter !== list.resetCounter;
      const sentence = changed
        ? `You go on with ${name}, whose keys are new.`
        : `${name} has the same identity as before: there is nothing to accept.`;
      context.terminal.say(sentence, {
        type: 'accepted',
        name,
        changed,
        resets: list.resetCounter,
      });
    },
  );
}

/** Somebody whose first list that is seen here is already another identity than what is known. */
function unlessChanged(error: unknown): undefined {
  if (!(error instanceof Problem) || error.code !== 'identity_changed') throw error;
}
