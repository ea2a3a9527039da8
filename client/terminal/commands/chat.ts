/** `islander chat`: a conversation with one person; typed at a terminal, or piped. */
import { createInterface, type Interface } from 'node:readline';
import { arrivals } from '../../messages/arrivals.ts';
import { departures } from '../../messages/departures.ts';
import type { Kept, Outgoing } from '../../messages/messages.ts';
import type { AddCommand, Context } from '../command.ts';
import { clockTime } from '../dates.ts';
import { type Home, openHome } from '../home.ts';
import { PartlyFailed } from '../partly-failed.ts';
import {
  arrivalLine,
  arrivalObject,
  departureObject,
  openTerminal,
  plain,
  statedFailure,
  type Terminal,
} from '../terminal.ts';

export function chatCommand(add: AddCommand): void {
  add(
    'chat <name>',
    'writes to a person line by line and shows what they write',
    ['islander chat bob', 'islander chat bob --json < lines.txt'],
    (command) => command,
    async (context, [name = '']) => {
      const screen = openScreen(context.terminal);
      const terminal = screen ? screen.terminal : context.terminal;
      await using home = await openHome({ ...context, terminal });
      await converse({ ...context, terminal }, home, name, screen);
    },
  );
}

async function converse(
  { terminal, signal }: Context,
  home: Home,
  name: string,
  screen: Screen | undefined,
): Promise<void> {
  const { islander, storage } = home;
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  let failures = 0;
  islander.startSending();
  islander.startReceiving();

  async function showArrivals(): Promise<void> {
    for await (const group of arrivals(storage, either, { from: name })) {
      for (const arrival of group) terminal.say(arrivalLine(arrival), arrivalObject(arrival));
    }
  }

  const onDeparture = (message: Kept<Outgoing>): void => {
    if (message.state === 'failed') failures += 1;
    const line =
      message.state === 'failed'
        ? `✗ ${plain(message.text)} — ${message.reason ?? ''}`
        : `${clockTime(message.sentAt)} you: ${message.text} ✓`;
    terminal.say(line, departureObject(message));
  };

  async function sendLines(): Promise<void> {
    const input = screen?.input ?? createInterface({ input: terminal.stdin });
    const close = () => input.close();
    either.addEventListener('abort', close, { once: true });
    const following: Promise<void>[] = [];
    for await (const line of input) {
      if (line.trim() === '') continue;
      screen?.taken();
      try {
        const keys = await islander.send(name, [line]);
        following.push(follow(keys));
      } catch (error) {
        const stated = statedFailure(error);
        if (!screen || !stated) throw error;
        terminal.say(`✗ ${stated.text}`, { type: 'failed', to: name, reason: stated.text });
      }
    }
    await Promise.all(following);
  }

  async function follow(keys: readonly string[]): Promise<void> {
    for await (const message of departures(storage, keys, either)) onDeparture(message);
  }

  // A name that nobody has is said at once, not with the first message.
  await Promise.race([islander.send(name, []), islander.failed]);
  screen?.open(name);
  const showing = showArrivals();
  try {
    await Promise.race([sendLines(), islander.failed, showing]);
  } finally {
    done.abort();
    await showing;
    screen?.input.close();
  }
  if (failures > 0 && !screen) throw new PartlyFailed();
}

/** A terminal with a line that is being typed: whatever is said appears above it. */
interface Screen {
  terminal: Terminal;
  input: Interface;
  open(name: string): void;
  /** The line just typed is taken off: it comes back, with its mark, when the island has it. */
  taken(): void;
}

function openScreen(terminal: Terminal): Screen | undefined {
  const { stdin, stdout, json } = terminal;
  if (!stdin.isTTY || !stdout.isTTY || json) return undefined;
  const input = createInterface({ input: stdin, output: stdout, prompt: '› ' });
  // In raw mode Ctrl-C comes as a key.
  input.on('SIGINT', () => input.close());
  const above = (text: string): void => {
    stdout.write(`\r\u001b[J${text}\n`);
    input.prompt(true);
  };
  return {
    input,
    terminal: openTerminal(terminal, false, above),
    open(name) {
      above(
        `You are writing to ${name}. Enter sends; ✓ means that the island has it; Ctrl-D ends.`,
      );
    },
    taken() {
      stdout.write('\u001b[1A\r\u001b[J');
      input.prompt();
    },
  };
}
