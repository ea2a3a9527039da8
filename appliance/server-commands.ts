/** `island servers …`: which servers there are, who may begin some, and ending one. docs/operations.md §8 */
import { createInterface } from 'node:readline/promises';
import { Stated } from '@island/provisioning/stated.ts';
import { Argument } from 'commander';
import type { Program } from './admission-commands.ts';
import { askControl, Refused } from './operator.ts';
import {
  type BeginnerMode,
  beginnerModes,
  formatServerPolicy,
  formatServers,
  type ServerPolicy,
  type ServerRow,
} from './server-messages.ts';
import type { Streams } from './up-command.ts';

interface Flags {
  data: string;
  json?: true;
}

interface PolicyFlags extends Flags {
  allow?: string[];
  remove?: string[];
}

export function addServerCommands({ island, commandOf, hintOf, streams }: Program): void {
  const group = island
    .command('servers')
    .description('the servers that people have begun, and who may begin some');
  const tell = (json: true | undefined, data: object, text: string): void =>
    void streams.stdout.write(json ? `${JSON.stringify(data)}\n` : `${text}\n`);

  commandOf(group, 'list', 'lists them: owner, members, channels, posts and bytes', {
    isDefault: true,
  }).action(async ({ data, json }: Flags) => {
    const servers = await allServers(data);
    tell(json, { servers }, formatServers(servers, hintOf(data)));
  });

  commandOf(group, 'policy', 'shows or changes who may begin servers')
    .addArgument(new Argument('[who]', 'who may from now on').choices(beginnerModes))
    .option('--allow <name...>', 'puts people on the list')
    .option('--remove <name...>', 'takes people off it; their servers stay')
    .action(async (beginners: BeginnerMode | undefined, flags: PolicyFlags) => {
      const { data, json, allow, remove } = flags;
      const path = '/servers/policy';
      const changes = { ...(beginners && { beginners }), ...(allow && { allow }) };
      const body = { ...changes, ...(remove && { remove }) };
      const method = Object.keys(body).length === 0 ? 'GET' : 'POST';
      const asked = askControl(data, { method, path, ...(method === 'POST' && { body }) });
      const now = (await orUnknown(asked)) as ServerPolicy;
      tell(json, now, formatServerPolicy(now, hintOf(data)));
    });

  commandOf(group, 'close', 'ends a server, for good')
    .argument('<server>', 'its title, or its id where two have the same title')
    .option('--yes', 'ends it without asking for its title')
    .action(async (wanted: string, { data, json, yes }: Flags & { yes?: true }) => {
      const { id, title } = chosen(await allServers(data), wanted, hintOf(data));
      const shown = title === '' ? id : title;
      if (yes !== true) {
        streams.stderr.write(
          `This ends ${shown} for all of its members: nothing more can be said there, and after a week what is there is deleted here. What members have stays with them.\n`,
        );
        const typed = await askLine(streams, 'To end it, type its title: ');
        if (typed !== shown) throw new Stated('That is not its title. Nothing was changed.');
      }
      await askControl(data, { method: 'POST', path: '/servers/close', body: { space: id } });
      tell(json, { id, title, closed: true }, `${shown} is ended.`);
    });
}

async function allServers(data: string): Promise<ServerRow[]> {
  const all: ServerRow[] = [];
  for (let after: string | undefined; ; ) {
    const path = after === undefined ? '/servers' : `/servers?after=${after}`;
    const page = (await askControl(data, { method: 'GET', path })) as { servers: ServerRow[] };
    all.push(...page.servers);
    after = page.servers.at(-1)?.id;
    if (after === undefined) break;
  }
  return all.sort((a, b) => a.title.localeCompare(b.title) || a.id.localeCompare(b.id));
}

function chosen(servers: readonly ServerRow[], wanted: string, hint: string): ServerRow {
  const open = servers.filter(({ closed }) => !closed);
  const found = open.filter(({ id, title }) => id === wanted || title === wanted);
  const [only] = found;
  if (only === undefined)
    throw new Stated(
      `No server that is open is called ${wanted}: npx island servers${hint} lists them.`,
    );
  if (found.length > 1)
    throw new Stated(
      `${found.length} servers are called ${wanted}. Name it by its id: ${found.map(({ id }) => id).join(', ')}`,
    );
  return only;
}

async function orUnknown<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (cause) {
    if (!(cause instanceof Refused) || cause.code !== 'unknown_person') throw cause;
    throw new Stated('One of these names is nobody’s on this island. Nothing was changed.', {
      cause,
    });
  }
}

/** The next line of standard input; empty when there is none. */
async function askLine({ stdin, stderr }: Streams, question: string): Promise<string> {
  if (stdin === undefined) return '';
  using lines = createInterface({ input: stdin, output: stderr });
  stderr.write(question);
  for await (const line of lines) return line.trim();
  return '';
}
