/** `islander attachments`: what was sent along in a conversation, and saving it. */
import type { AttachmentDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import type { Conversations } from '../../conversation/conversations.ts';
import type { ShownMessage } from '../../conversation/view.ts';
import { attachmentObject, attachmentsOf, attachmentText } from '../attached.ts';
import type { AddCommand } from '../command.ts';
import { clockTime, day } from '../dates.ts';
import { openHome } from '../home.ts';
import { progressOn } from '../progress.ts';
import { rows } from '../rows.ts';
import { usage } from '../usage.ts';

export function attachmentsCommand(add: AddCommand): void {
  add(
    'attachments <name> [number...]',
    'lists what was sent along in a conversation; with numbers, saves it',
    [
      'islander attachments bob',
      'islander attachments bob 3',
      'islander attachments bob 3 4 --to ~/Downloads',
    ],
    (command) => command.option('--to <path>', 'a folder, or a new file', '.'),
    async (context, [name = '', ...numbers], { to }) => {
      const { terminal, signal } = context;
      await using home = await openHome(context);
      const { islander } = home;
      const all = await attachmentsWith(islander.conversations, name);
      if (numbers.length === 0) {
        if (!terminal.json) terminal.say(tableOf(all, name), {});
        else for (const [i, each] of all.entries()) terminal.say('', listed(each, i));
        return;
      }
      const chosen = numbers.map((number) => {
        const found = /^\d+$/.test(number) ? all[Number(number) - 1] : undefined;
        if (!found) throw usage(terminal, `There is no attachment ${number} with ${name}.`);
        return found;
      });
      const onProgress = progressOn(terminal);
      for (const { descriptor } of chosen) {
        const file = await islander.save(descriptor, String(to), { onProgress, signal });
        terminal.say(`Saved: ${file}`, { type: 'saved', file });
      }
    },
  );
}

interface Listed {
  message: ShownMessage;
  descriptor: AttachmentDescriptor;
}

/** Oldest first: a number stays with its attachment while others come. */
async function attachmentsWith({ view }: Conversations, name: string): Promise<Listed[]> {
  const found: Listed[] = [];
  for (let before: string | undefined; ; ) {
    const page = await view(name, { last: 500, ...(before !== undefined && { before }) });
    const here = page.flatMap((message) =>
      message.type === 'message'
        ? attachmentsOf(message).map((descriptor) => ({ message, descriptor }))
        : [],
    );
    found.unshift(...here);
    before = page[0]?.at;
    if (before === undefined) return found;
  }
}

const listed = ({ message, descriptor }: Listed, i: number): Record<string, unknown> => ({
  type: 'attachment',
  number: i + 1,
  from: message.direction === 'out' ? 'you' : 'them',
  id: message.id,
  time: message.time,
  ...attachmentObject(descriptor),
});

function tableOf(all: readonly Listed[], name: string): string {
  if (all.length === 0) return `There are no attachments with ${name}.`;
  return rows(
    all.map(({ message, descriptor }, i) => [
      String(i + 1).padStart(3),
      clockTime(message.time),
      message.direction === 'out' ? 'you' : name,
      attachmentText(descriptor),
      `on the island until ${day(descriptor.expiresDay)}`,
    ]),
  );
}
