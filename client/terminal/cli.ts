/** The `islander` command: a person's terminal client. README.md */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { retryAfter } from '../transport/transport.ts';
import type { AddCommand, CommandGroup } from './command.ts';
import { acceptCommand } from './commands/accept.ts';
import { accountCommand } from './commands/account.ts';
import { attachmentsCommand } from './commands/attachments.ts';
import { channelGroup } from './commands/channel.ts';
import { chatCommand } from './commands/chat.ts';
import { chatsCommand, requestsCommand } from './commands/chats.ts';
import { codesCommand } from './commands/codes.ts';
import { contactCommands } from './commands/contacts.ts';
import { devicesCommand } from './commands/devices.ts';
import { directoryCommand } from './commands/directory.ts';
import { exportCommand } from './commands/export.ts';
import { linkCommand } from './commands/link.ts';
import { listenCommand } from './commands/listen.ts';
import { loginCommand } from './commands/login.ts';
import { logoutCommand } from './commands/logout.ts';
import { passwordCommand } from './commands/password.ts';
import { postCommands } from './commands/posts.ts';
import { readCommand } from './commands/read.ts';
import { recoverCommand } from './commands/recover.ts';
import { registerCommand } from './commands/register.ts';
import { reportCommands } from './commands/reports.ts';
import { resetCommand } from './commands/reset.ts';
import { searchCommand } from './commands/search.ts';
import { sendCommand } from './commands/send.ts';
import { serverGroup } from './commands/server.ts';
import { sessionsCommand } from './commands/sessions.ts';
import { settingsCommand } from './commands/settings.ts';
import { twoFactorCommand } from './commands/two-factor.ts';
import { verifyCommand } from './commands/verify.ts';
import { whoamiCommand } from './commands/whoami.ts';
import { witnessCommand } from './commands/witness.ts';
import { PartlyFailed } from './partly-failed.ts';
import { openTerminal, type Streams, statedFailure, type Terminal } from './terminal.ts';

/** Runs the command; resolves to the exit code: 0 done, 1 a stated failure, 2 wrong usage. */
export async function islanderCommand(args: readonly string[], streams: Streams): Promise<number> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort(new Error('interrupted'));
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  try {
    await program(streams, stop.signal).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof PartlyFailed) return 1;
    if (stop.signal.aborted) return 1;
    return explain(error, openTerminal(streams, args.includes('--json')));
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
    // A pipe that is still open must not keep a command that is done.
    streams.stdin.pause();
    streams.stdin.unref?.();
  }
}

function explain(error: unknown, { json, stdout, stderr }: Terminal): 1 {
  const stated = statedFailure(error);
  const { code, text } = stated ?? {
    code: 'internal',
    text: 'Something failed that should not; please report it.',
  };
  const seconds = Math.ceil((retryAfter(error) ?? 0) / 1000);
  const wait = seconds > 0 ? { seconds } : {};
  if (json) stdout.write(`${JSON.stringify({ type: 'error', code, text, ...wait })}\n`);
  stderr.write(`islander: ${text}${seconds > 0 ? ` (${waitOf(seconds)})` : ''}\n`);
  if (!stated)
    stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

/** How long, as people say it. */
const waitOf = (seconds: number): string =>
  seconds < 120 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;

function program(streams: Streams, signal: AbortSignal): Command {
  const islander = new Command('islander')
    .description('End-to-end-encrypted messages over a private island, from the terminal.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
    })
    .showHelpAfterError('(islander --help shows what there is)')
    .addHelpText(
      'after',
      "\nThe first message:\n  islander register 'island://…' alice\n  islander send bob Hello\n  islander listen\n",
    );
  const addingTo =
    (parent: Command): AddCommand =>
    (usage, about, examples, configure, run) => {
      const command = configure(parent.command(usage).description(about))
        .addOption(
          new Option('--home <dir>', 'folder with your keys and messages').default(
            join(homedir(), '.islander'),
            '~/.islander',
          ),
        )
        .option('--json', 'one JSON object a line on standard output, for programs')
        .addHelpText('after', `\nExamples:\n${examples.map((each) => `  ${each}\n`).join('')}`);
      command.action(async () => {
        const options = command.opts<Record<string, unknown>>();
        const context = {
          terminal: openTerminal(streams, options['json'] === true),
          home: String(options['home']),
          signal,
        };
        await run(context, command.args, options);
      });
    };
  const addGroup = (parent: Command, { name, about, commands, groups = [] }: CommandGroup) => {
    const group = parent.command(name).description(about);
    group.showHelpAfterError(`(islander ${pathOf(group)} --help shows what there is)`);
    for (const command of commands) command(addingTo(group));
    for (const each of groups) addGroup(group, each);
  };
  const add = addingTo(islander);
  for (const command of [
    registerCommand,
    loginCommand,
    sendCommand,
    listenCommand,
    chatCommand,
    chatsCommand,
    requestsCommand,
    contactCommands,
    readCommand,
    postCommands,
    reportCommands,
    verifyCommand,
    searchCommand,
    attachmentsCommand,
    settingsCommand,
    whoamiCommand,
    logoutCommand,
    linkCommand,
    recoverCommand,
    resetCommand,
    devicesCommand,
    codesCommand,
    twoFactorCommand,
    sessionsCommand,
    passwordCommand,
    accountCommand,
    acceptCommand,
    directoryCommand,
    witnessCommand,
    exportCommand,
  ]) {
    command(add);
  }
  for (const group of [serverGroup, channelGroup]) addGroup(islander, group);
  return islander;
}

/** `server role`, without the name of the program. */
function pathOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${pathOf(parent)} ${command.name()}` : command.name();
}
