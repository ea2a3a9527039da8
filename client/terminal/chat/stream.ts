/**
 * A conversation line by line: for pipes, for programs, and for terminals and people to whom a window is
 * nothing. Every line of input is a message, and with `commands` one that begins with `/` is not.
 */
import { createInterface } from 'node:readline';
import { pause } from '../../backoff.ts';
import { createBell } from '../../bell.ts';
import { happenings } from '../../conversation/happenings.ts';
import { openTold } from '../../conversation/told.ts';
import type { SentState } from '../../conversation/view.ts';
import { arrivals } from '../../messages/arrivals.ts';
import { allDeparted, departures } from '../../messages/departures.ts';
import { type Kept, type Outgoing, readMessage } from '../../messages/messages.ts';
import type { Context } from '../command.ts';
import { clockTime } from '../dates.ts';
import type { Home } from '../home.ts';
import { PartlyFailed } from '../partly-failed.ts';
import { progressOn } from '../progress.ts';
import { explainRequest, requestsIn } from '../requests.ts';
import {
  arrivalLine,
  arrivalObject,
  departureObject,
  happeningLine,
  plain,
  queuedObject,
  statedFailure,
} from '../terminal.ts';
import { openCalls } from './calls.ts';
import { isCommand, runCommand, unescaped } from './commands.ts';
import { conversationLines, paintFor } from './lines.ts';
import { Mistake, type Talk } from './talk.ts';

export interface Streaming {
  /** A line that begins with `/` is a command. */
  commands: boolean;
  /** There is somebody who sees what was said before. */
  person: boolean;
}

/** Messages of before that a person is shown. */
const before = 20;
/** Milliseconds between two looks at what became of what was sent. */
const look = 1_000;

export async function chatStream(
  { terminal, signal }: Context,
  { islander, storage }: Home,
  name: string,
  { commands, person }: Streaming,
): Promise<void> {
  const { conversations } = islander;
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  const calls = openCalls(islander, name);
  const told = await openTold(storage);
  const sent = new Map<string, SentState>();
  const following: Promise<void>[] = [];
  let failures = 0;
  const called = (key: string): string => (commands ? `${calls.numberOf(key)} ` : '');

  async function showBefore(): Promise<void> {
    const shown = await conversations.view(name, { last: before });
    const known = shown.filter((each) => each.type === 'message' && !each.unread);
    const columns = terminal.stdout.columns || 80;
    const paint = paintFor(terminal.stdout);
    const look = { name, columns, numberOf: calls.numberOf, newFrom: undefined, paint };
    const { lines } = conversationLines(known, { ...look, now: Date.now() });
    if (lines.length > 0) terminal.say(lines.join('\n'), {});
  }

  async function showArrivals(): Promise<void> {
    for await (const group of arrivals(storage, either, { from: name })) {
      const request = (await requestsIn(conversations, group)).has(name);
      for (const arrival of group) {
        const line = called(arrival.key) + arrivalLine(arrival, request);
        terminal.say(line, arrivalObject(arrival, request));
      }
      told.add(group.map(({ key }) => key));
      if (request) explainRequest(terminal, name, commands ? 'in-chat' : 'command');
      if (person) await conversations.read(name);
    }
  }

  async function showHappenings(): Promise<void> {
    for await (const happening of happenings(storage, either, { from: name, told }))
      terminal.say(happeningLine(happening), { ...happening });
  }

  const onDeparture = (message: Kept<Outgoing>): void => {
    if (message.state === 'failed') failures += 1;
    else sent.set(message.key, 'sent');
    const line =
      message.state === 'failed'
        ? `✗ ${plain(message.text)} — ${message.reason ?? ''}`
        : `${called(message.key)}${clockTime(message.sentAt)} you: ${message.text} ✓`;
    terminal.say(line, departureObject(message));
  };

  /** For programs: delivered, read. */
  async function showReceipts(): Promise<void> {
    using changed = createBell(either);
    using _watch = storage.watch(changed.ring);
    while (!either.aborted) {
      const shown = sent.size > 0 ? await conversations.view(name, { last: 200 }) : [];
      for (const each of shown) {
        if (each.type !== 'message' || each.state === undefined) continue;
        const { key, id, state } = each;
        if (state === (sent.get(key) ?? state)) continue;
        sent.set(key, state);
        if (state === 'delivered' || state === 'read')
          terminal.say('', { type: 'receipt', to: name, id, state });
      }
      await changed.next();
      await pause(look, either);
    }
  }

  async function follow(key: string): Promise<void> {
    for await (const message of departures(storage, [key], either)) onDeparture(message);
  }

  async function onSaid(key: string): Promise<void> {
    const message = await readMessage(storage, key);
    if (terminal.json && message?.type === 'sent') terminal.say('', queuedObject(message));
    following.push(follow(key));
  }

  const talk: Talk = {
    islander,
    storage,
    name,
    signal: either,
    message: calls.find,
    lastOfOurs: calls.lastOfOurs,
    tell: (lines, object = { type: 'told', lines }) => terminal.say(lines.join('\n'), object),
    said: onSaid,
    onProgress: progressOn(terminal),
    quit: () => done.abort(),
  };

  async function take(line: string): Promise<void> {
    try {
      if (commands && isCommand(line)) {
        await runCommand(talk, line);
        if (terminal.json) terminal.say('', { type: 'done', line });
      } else {
        const text = commands ? unescaped(line) : line;
        await onSaid(await conversations.say(name, text));
      }
    } catch (error) {
      if (either.aborted) return;
      const text = error instanceof Mistake ? error.message : statedFailure(error)?.text;
      if (text === undefined || !(person || error instanceof Mistake)) throw error;
      failures += 1;
      terminal.say(`✗ ${text}`, { type: 'refused', line, text });
    }
  }

  async function takeLines(): Promise<void> {
    const input = createInterface({ input: terminal.stdin });
    const close = () => input.close();
    either.addEventListener('abort', close, { once: true });
    for await (const line of input) if (line.trim() !== '' && !either.aborted) await take(line);
    await Promise.all(following);
    if (!either.aborted) await allDeparted(storage, name, Date.now, either);
  }

  // A name that nobody has is said at once, not with the first message.
  await Promise.race([islander.send(name, []), islander.failed]);
  if (person) await showBefore();
  islander.startSending();
  islander.startReceiving();
  const showing = Promise.all([
    showArrivals(),
    showHappenings(),
    ...(terminal.json ? [showReceipts()] : []),
  ]);
  try {
    await Promise.race([takeLines(), islander.failed, showing]);
  } finally {
    done.abort();
    await showing;
  }
  if (failures > 0 && !person) throw new PartlyFailed();
}
