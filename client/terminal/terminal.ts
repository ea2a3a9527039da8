/** What `islander` says: lines for a person, or one JSON object a line for a program. */
import { CodeMistake } from '@island/protocol/crypto/backup-code.ts';
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Happening } from '../conversation/happenings.ts';
import type { IslanderEvent } from '../islander.ts';
import type { Arrival } from '../messages/arrivals.ts';
import type { Kept, Outgoing } from '../messages/messages.ts';
import { Problem } from '../problem.ts';
import { lostSentence } from '../repair/placeholders.ts';
import { durationText } from './amounts.ts';
import { attachmentObject, attachmentsOf, attachmentText } from './attached.ts';
import { clockTime } from './dates.ts';

export interface Streams {
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

export interface Terminal extends Streams {
  json: boolean;
  /** `text` for a person, `object` for a program, on standard output. */
  say(text: string, object: Readonly<Record<string, unknown>>): void;
  /**
   * How it goes: on standard error; a program gets it as an object of type `status`. The same thing
   * again about the same `topic` is no news, however often it is tried.
   */
  status(state: string, text: string, topic?: string): void;
}

/** `show`: how text for a person appears, where a line is being typed meanwhile. */
export function openTerminal(
  streams: Streams,
  json: boolean,
  show?: (text: string) => void,
): Terminal {
  const { stdin, stdout, stderr } = streams;
  const line = (object: object): void => void stdout.write(`${JSON.stringify(object)}\n`);
  const last = new Map<string, string>();
  return {
    stdin,
    stdout,
    stderr,
    json,
    say(text, object) {
      if (json) line(object);
      else if (show) show(text);
      else stdout.write(`${text}\n`);
    },
    status(state, text, topic = '') {
      if (last.get(topic) === text) return;
      last.set(topic, text);
      if (json) line({ type: 'status', state, text });
      else if (show) show(`· ${text}`);
      else stderr.write(`${text}\n`);
    },
  };
}

/**
 * What other people wrote could hold anything: nothing of it may steer the terminal or look like a
 * line of ours. Joiners stay (emoji, scripts), other control and format characters do not.
 */
export const plain = (text: string): string => harmless(text).replaceAll('\n', '\n      ');

/** The same for who cuts it into lines by themselves. */
export const harmless = (text: string): string =>
  text.replace(/(?![\t\n\u200c\u200d])[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd');

/** `request`: nobody has let its sender in yet. */
export function arrivalLine(arrival: Arrival, request = false): string {
  if (arrival.type === 'message') {
    const who = `${arrival.from}${request ? ' (request)' : ''}`;
    const answers = arrival.reply ? '(an answer) ' : '';
    const attached = attachmentsOf(arrival).map((each) => `📎 ${attachmentText(each)}`);
    const said = [...(arrival.text === '' ? [] : [plain(arrival.text)]), ...attached];
    return `${clockTime(arrival.receivedAt)} ${who}: ${answers}${said.join(' ')}`;
  }
  const { state, claims, count } = arrival;
  const who = claims ?? 'somebody';
  const when = clockTime(arrival.receivedAt);
  if (state === 'recovering')
    return `${when} (a message that claims to be from ${who} cannot be read yet; asking for it again…)`;
  if (state === 'lost') return `${when} (from ${who}: ${lostSentence(count ?? 1)})`;
  const what = arrival.from
    ? `a message from ${arrival.from}`
    : `something that claims to be from ${arrival.claims ?? 'somebody'}`;
  return `${clockTime(arrival.receivedAt)} (${what} cannot be read: ${arrival.reason})`;
}

export function arrivalObject(arrival: Arrival, request = false): Record<string, unknown> {
  const { id, from } = arrival;
  if (arrival.type === 'unreadable') {
    const { claims, reason, state, count } = arrival;
    return { type: 'unreadable', from, claims, reason, state, count, id };
  }
  const { text, sentAt, reply, timer } = arrival;
  const attachments = attachmentsOf(arrival).map(attachmentObject);
  return {
    ...{ type: 'message', from, text, sentAt, id },
    ...(request && { request }),
    ...(reply && { reply: { to: reply.whose === 'yours' ? 'you' : from, id: reply.id } }),
    ...(timer !== undefined && { timer }),
    ...(attachments.length > 0 && { attachments }),
  };
}

/** What somebody did to a message, or to the conversation. */
export function happeningLine(happening: Happening): string {
  const { type, from, sentAt } = happening;
  const when = clockTime(sentAt);
  if (type === 'edited') return `${when} (${from} changed a message) ${plain(happening.text)}`;
  if (type === 'deleted') return `${when} (${from} took a message back)`;
  if (type === 'timer')
    return happening.seconds > 0
      ? `${when} (${from}: messages disappear after ${durationText(happening.seconds)} from now on)`
      : `${when} (${from}: messages stay from now on)`;
  const { put, ours, emoji } = happening;
  const whose = ours ? 'your message' : 'their own message';
  return `${when} (${from} ${put ? 'put' : 'took'} ${plain(emoji)} ${put ? 'on' : 'off'} ${whose})`;
}

/** It is in this home: whatever ends this program now, it goes out with the next one. */
export const queuedObject = ({ to, id }: Kept<Outgoing>): Record<string, unknown> => ({
  type: 'queued',
  to,
  id,
});

export const departureObject = ({
  state,
  to,
  id,
  reason,
}: Kept<Outgoing>): Record<string, unknown> =>
  state === 'accepted' ? { type: 'sent', to, id } : { type: 'failed', to, id, reason };

/** The states of a connection, as a person wants to hear them. */
export function eventStatus(terminal: Terminal): (event: IslanderEvent) => void {
  return (event) => {
    switch (event.type) {
      case 'online':
        return terminal.status('online', 'Connected.', 'connection');
      case 'offline':
        return terminal.status(
          'reconnecting',
          `Reconnecting… (${event.error.message})`,
          'connection',
        );
      case 'waiting':
        return terminal.status(
          'waiting',
          `Not sent to ${event.to} yet, trying again… (${event.error.message})`,
          `to ${event.to}`,
        );
      case 'post-waiting':
        return terminal.status(
          'waiting',
          `Not posted yet, trying again… (${event.error.message})`,
          `post ${event.channel}`,
        );
      case 'channel-trouble':
        return terminal.status('channel', `⚠ ${event.error.message}`, `channel ${event.place}`);
      case 'post-refused':
        // It stands where it would have been, with the reason.
        return;
      case 'moving':
        return terminal.status('sending', `Sending to ${event.to} again.`, `to ${event.to}`);
      case 'dropped':
        return terminal.status(
          'dropped',
          `Something came that is not shown: ${event.error.message}`,
        );
      case 'reading':
        return terminal.status(
          'reading',
          `Reading the archive: ${event.progress.read} of ${event.progress.of}.`,
          'archive',
        );
      case 'directory':
        return terminal.status('directory', `⚠ ${event.error.message}`, 'directory');
      case 'archiving':
        return terminal.status(
          'archiving',
          `Not in the archive yet, trying again… (${event.error.message})`,
          'archive',
        );
      case 'unarchived':
        return terminal.status(
          'unarchived',
          `New messages are on this device only: ${event.error.message}`,
          'archive',
        );
      case 'account':
      case 'witnesses':
        // What it is stands in the storage: changes.ts, witness-changes.ts.
        return;
      case 'reset-asked':
        return terminal.status(
          'reset-asked',
          `Somebody asked to begin your account anew, in ${Math.ceil(event.seconds / 3600)} hours. If that was not you: islander reset refuse`,
          'reset',
        );
      case 'typing':
        // A person sees it in the window of the conversation.
        if (terminal.json)
          terminal.say('', { type: 'typing', from: event.from, began: event.began });
        return;
      case 'account-refused':
        return terminal.status('account-refused', event.error.message, 'account');
    }
  };
}

/** One sentence for a failure that can be stated; undefined for a mistake of this program. */
export function statedFailure(error: unknown): { code: string; text: string } | undefined {
  if (error instanceof Fault || error instanceof CryptoFault || error instanceof Problem) {
    return { code: error.code, text: error.message };
  }
  if (error instanceof CodeMistake) return { code: 'code_mistake', text: error.message };
  return undefined;
}
