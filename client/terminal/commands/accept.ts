/** `islander accept`: goes on with somebody whose identity was begun anew. */
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
      const { list } = await home.islander.people.accept(name, context.signal);
      context.terminal.say(`You go on with ${name}, whose keys are new.`, {
        type: 'accepted',
        name,
        resets: list.resetCounter,
      });
    },
  );
}
