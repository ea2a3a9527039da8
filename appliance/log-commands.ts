/** `island log succeed`: another log of keys in place of one that was put back and can't go on. docs/operations.md §8 */
import { createInterface } from 'node:readline/promises';
import { Stated } from '@island/provisioning/stated.ts';
import type { Program } from './admission-commands.ts';
import { askControl, askStatus } from './operator.ts';
import { inWords } from './witness-input.ts';

interface Flags {
  data: string;
  json?: true;
  force?: true;
  confirm?: string;
}

interface Succeeded {
  vkey: string;
  size: number;
  seen: number;
  waiting: boolean;
}

const meaning = (name: string): string =>
  [
    `This ends the log of keys of ${name} for good, and begins another one with all that this island still has.`,
    'Do it only where no newer copy of the data folder is left: with one, nobody notices anything.',
    '* Everybody on the island is told, as loudly as of an attack, that its directory began anew, and has to agree before new people or devices are taken over. Who does not agree goes on with whom they know.',
    '* Who joined after the copy was made is gone, and so are devices that were added or removed since: their people begin anew.',
    '* The witnesses of this island stay its witnesses, and each of their operators has to trust the new log.',
    '* It can not be undone. Tell people why, by another way than this island.',
  ].join('\n');

export function addLogCommands({ island, commandOf, hintOf, streams }: Program): void {
  const group = island.command('log').description('the log of keys of this island');
  commandOf(group, 'succeed', 'begins another log where this one was put back and can not go on')
    .option('--force', 'also where no witness has shown that it was put back')
    .option('--confirm <name>', 'the name of the island, where nobody can be asked for it')
    .action(async ({ data, json, force, confirm }: Flags) => {
      const hint = hintOf(data);
      const { name } = await askStatus(data);
      const typed = confirm ?? (await asked(name, streams.stderr));
      if (typed !== name) throw new Stated('That is not the name of the island: nothing was done.');
      const post = askControl(data, {
        method: 'POST',
        path: '/log/succeed',
        body: { forced: force === true },
      });
      const said = (await inWords(post, {
        forbidden: `No witness says that this log was put back, so it goes on: nothing was done. npx island witness${hint} shows what they say. Where nobody witnesses it and it was put back all the same: --force`,
      })) as Succeeded;
      streams.stdout.write(json ? `${JSON.stringify(said)}\n` : `${formatSucceeded(said, hint)}\n`);
    });
}

async function asked(name: string, stderr: Program['streams']['stderr']): Promise<string> {
  if (process.stdin.isTTY !== true)
    throw new Stated(`${meaning(name)}\nTo do it: --confirm with the name of the island.`);
  stderr.write(`${meaning(name)}\n`);
  using questions = createInterface({ input: process.stdin, output: process.stderr });
  return (await questions.question('To do it, type the name of the island: ')).trim();
}

function formatSucceeded({ vkey, size, seen, waiting }: Succeeded, hint: string): string {
  const lost = seen > size ? `, ${seen - size} entries fewer than were signed` : '';
  const from = `The log ended at ${size} entries${lost}. The one that follows: ${vkey}`;
  if (!waiting) return `${from}\nIt has taken over.`;
  return [
    from,
    'It takes over as soon as its witnesses have signed its first checkpoint. Until then nothing new is published.',
    `Hand the operators of your witnesses the card of this island again: npx island witness card${hint}`,
    `For a witness without a line: npx island witness request${hint} NAME`,
  ].join('\n');
}
