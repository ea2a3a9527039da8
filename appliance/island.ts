/** The operator's command: `island up | status | verify | rotate | renew`, and who may join: admission-commands.ts. docs/operations.md */

import { join } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type Renewable, renewable } from '@island/provisioning/ca-renewal.ts';
import { Stated, statedFrom } from '@island/provisioning/stated.ts';
import { ConfigError } from '@island/services/kit/config.ts';
import { Argument, Command, CommanderError, type CommandOptions, Option } from 'commander';
import { addAdmissionCommands } from './admission-commands.ts';
import { addAuditCommands } from './audit/audit-commands.ts';
import { Misbehaviour, Noteworthy } from './audit/findings.ts';
import { addLogCommands } from './log-commands.ts';
import { formatStatus } from './messages-for-people.ts';
import { askLog, askStatus } from './operator.ts';
import { toCount, toFolder, toHost, toName, toPort, toPromises } from './option-values.ts';
import { type RenewFlags, runRenew } from './renew-command.ts';
import { runRotate } from './rotate-command.ts';
import { addServerCommands } from './server-commands.ts';
import { styleFor } from './terminal.ts';
import { runUp, type Streams, type UpFlags } from './up-command.ts';
import { type PromiseId, promiseIds } from './verify/promises.ts';
import { addWitnessCommands } from './witness-commands.ts';

const repository = join(import.meta.dirname, '..');
const defaultData = join(repository, 'island-data');
/** Runs the command; resolves to the exit code: 0 done, 1 a stated failure, 2 wrong usage, 3 a log that misbehaves, 4 news of what is monitored. */
export async function islandCommand(args: readonly string[], streams: Streams): Promise<number> {
  try {
    await program(streams).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof Error && error.name === 'AbortError') return 0;
    const stated = statedFrom(error) ?? plain(error);
    const { bad } = styleFor(streams.stderr);
    if (stated !== undefined) {
      streams.stderr.write(`${bad('island:')} ${stated.message}\n`);
      if (stated instanceof Noteworthy) return 4;
      return stated instanceof Misbehaviour ? 3 : 1;
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    streams.stderr.write(
      `${bad('island:')} Something failed that should not; please report it.\n${text}\n`,
    );
    return 1;
  }
}

/** Errors of the services' side whose message is for people. */
const plain = (error: unknown): Error | undefined =>
  error instanceof Fault || error instanceof ConfigError ? error : undefined;

function program(streams: Streams): Command {
  const island = new Command('island')
    .description('Operates a private island: end-to-end-encrypted messages from your own machine.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
    })
    .showHelpAfterError('(island --help shows what there is)');
  const commandOf = (
    parent: Command,
    name: string,
    about: string,
    options: CommandOptions = {},
  ): Command =>
    parent
      .command(name, options)
      .description(about)
      .addOption(
        new Option('--data <dir>', 'folder with everything of the island')
          .argParser(toFolder)
          .default(defaultData, 'island-data in the repository'),
      )
      .option('--json', 'one line of JSON on standard output, for programs');
  const command = (name: string, about: string): Command => commandOf(island, name, about);
  const hintOf = (data: string): string =>
    data === defaultData ? '' : ` --data ${forShell(data)}`;

  command('up', 'starts the island and keeps it running until Ctrl-C')
    .option('--port <port>', 'port for clients (first start: 8443; 0 chooses a free one)', toPort)
    .option(
      '--host <name>',
      'DNS name or IP address by which others reach it; opens it to the network',
      toHost,
    )
    .option('--name <name>', 'display name of the island', toName)
    .option(
      '--root-passphrase-file <file>',
      'file with the passphrase for the root key (first start)',
    )
    .addOption(
      new Option(
        '--master-key <file>',
        'file of the master key, outside of the data folder (first start: in ~/.config)',
      ).argParser(toFolder),
    )
    .addOption(
      new Option('--engines <dir>', 'folder to look in for engines that PATH lacks').default(
        join(repository, '.engines'),
        '.engines in the repository',
      ),
    )
    .addOption(
      new Option('--leaf-seconds <n>', 'life of certificates, for tests')
        .argParser(toCount)
        .hideHelp(),
    )
    .action((flags: UpFlags) => runUp(flags, hintOf(flags.data), streams));
  command('status', 'shows services, engines, certificates, listeners and the log of keys').action(
    async ({ data, json }: UpFlags) => {
      const [report, log] = await Promise.all([askStatus(data), askLog(data)]);
      const text = () => formatStatus(report, styleFor(streams.stdout), log, hintOf(data));
      streams.stdout.write(json ? `${JSON.stringify({ ...report, log: log ?? null })}\n` : text());
    },
  );
  command('rotate', 'changes the master key under which everything at rest is kept').action(
    ({ data, json }: UpFlags) => runRotate(data, json === true, streams),
  );
  command('renew', 'makes a new CA below the root, once a year, while the island is down')
    .addArgument(new Argument('<ca>', 'which one').choices(renewable))
    .requiredOption(
      '--root-passphrase-file <file>',
      'file with the passphrase for the root key, closed to others',
    )
    .addOption(
      new Option(
        '--master-key <file>',
        'file of the master key, where it is not in its place',
      ).argParser(toFolder),
    )
    .action((ca: Renewable, flags: RenewFlags) => runRenew(ca, flags, streams));
  addAdmissionCommands({ island, commandOf, hintOf, streams });
  addWitnessCommands({ island, commandOf, hintOf, streams });
  addLogCommands({ island, commandOf, hintOf, streams });
  addServerCommands({ island, commandOf, hintOf, streams });
  addAuditCommands({ island, streams });
  command('verify', 'checks the promises on the running island, with evidence')
    .option('--only <ids>', 'these promises alone, such as T2,T3', toPromises)
    .option('--evidence', 'each finding below its promise')
    .action((flags: VerifyFlags) => runVerify(flags, streams.stdout));
  return island;
}

/** As a shell takes it for one word. */
const forShell = (text: string): string =>
  /^[\w./@%+,:=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

interface VerifyFlags {
  data: string;
  json?: true;
  only?: PromiseId[];
  evidence?: true;
}

/** Throws `Stated`, hence exit code 1, when a promise does not hold. */
async function runVerify(flags: VerifyFlags, stdout: NodeJS.WriteStream): Promise<void> {
  // Loads the client, which no other command needs.
  const { formatJudged, verify } = await import('./verify/verify.ts');
  const style = styleFor(stdout);
  const { promises } = await verify({
    data: flags.data,
    only: flags.only ?? promiseIds,
    tell(judged) {
      if (!flags.json) stdout.write(`${formatJudged(judged, flags.evidence === true, style)}\n`);
    },
  });
  if (flags.json) stdout.write(`${JSON.stringify({ promises })}\n`);
  const broken = promises.filter(({ state }) => state === 'broken').map(({ id }) => id);
  if (broken.length > 0)
    throw new Stated(`Of the promises, these do not hold: ${broken.join(', ')}.`);
}
