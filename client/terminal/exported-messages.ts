/** Messages as an export has them: as they are now, with what was done to them, for people and for programs. */
import { type ShownMessage, view } from '../conversation/view.ts';
import { timeOf } from '../messages/history.ts';
import type { Kept } from '../messages/messages.ts';
import type { Storage } from '../storage/storage.ts';
import { attachmentObject, attachmentsOf, attachmentText } from './attached.ts';
import { minute, time } from './dates.ts';
import { harmless, plain } from './terminal.ts';

/** By the key in the history. */
export type Views = ReadonlyMap<string, ShownMessage>;

export async function viewsOf(
  storage: Storage,
  now: () => number,
  names: Iterable<string>,
): Promise<Views> {
  const views = new Map<string, ShownMessage>();
  for (const name of names)
    for (let before: string | undefined; ; ) {
      const page = await view(storage, now, name, { last: 500, ...(before && { before }) });
      for (const each of page) if (each.type === 'message') views.set(each.key, each);
      before = page[0]?.at;
      if (before === undefined) break;
    }
  return views;
}

/** What an attachment is called in the folder, by the key of its message and its place in it. */
export type SavedAs = ReadonlyMap<string, string>;
export const savedKey = (key: string, i: number): string => `${key} ${i}`;

export function messageObject({ key, ...message }: Kept, views: Views, saved: SavedAs): object {
  const { type, id } = message;
  if (message.type === 'unreadable') {
    const { from, claims, reason, state, count, receivedAt } = message;
    return { type, id, from, claims, reason, state, count, received: time(receivedAt) };
  }
  const now = actsObject(key, views.get(key), saved);
  if (message.type === 'message') {
    const { from, text, sentAt, receivedAt } = message;
    const times = { sent: time(sentAt), received: time(receivedAt) };
    return { type: 'received', id, from, text, ...times, ...now };
  }
  const { to, text, sentAt, state, reason } = message;
  return { type, id, to, text, sent: time(sentAt), state, reason, ...now };
}

function actsObject(key: string, shown: ShownMessage | undefined, saved: SavedAs): object {
  if (!shown) return {};
  const { text, edited, deleted, reactions, reply, timer, state } = shown;
  const attachments = attachmentsOf(shown).map((each, i) => ({
    ...attachmentObject(each),
    file: saved.get(savedKey(key, i)),
  }));
  return {
    ...(edited !== undefined && { text, edited: time(edited) }),
    ...(deleted && { deleted }),
    ...(reply && { answers: { id: reply.id, of: reply.direction === 'out' ? 'you' : 'them' } }),
    ...(reactions.length > 0 && { reactions }),
    ...(timer !== undefined && { disappearsAfter: timer }),
    ...(attachments.length > 0 && { attachments }),
    ...((state === 'delivered' || state === 'read') && { receipt: state }),
  };
}

/** `2026-11-23 09:12 bob: …`; further lines of a text, and what goes with it, are indented. */
export function messageText(message: Kept, views: Views, saved: SavedAs): string {
  const when = minute(timeOf(message));
  if (message.type === 'unreadable' && message.state === 'lost')
    return `${when} (${message.reason})\n`;
  if (message.type === 'unreadable')
    return `${when} (a message from ${message.from ?? 'somebody'} could not be read: ${message.reason})\n`;
  const who = message.type === 'sent' ? 'you' : message.from;
  const fate =
    message.type === 'sent' && message.state !== 'accepted'
      ? ` (${message.state === 'queued' ? 'not sent yet' : `not sent: ${message.reason ?? ''}`})`
      : '';
  const shown = views.get(message.key);
  const text = shown?.deleted
    ? '(taken back)'
    : `${plain(shown?.text ?? message.text)}${shown?.edited === undefined ? '' : ' (edited)'}`;
  const more = shown ? moreLines(message.key, shown, saved) : [];
  return [`${when} ${who}: ${text}${fate}`, ...more].join('\n      ').concat('\n');
}

function moreLines(key: string, shown: ShownMessage, saved: SavedAs): string[] {
  const { reply, reactions } = shown;
  const files = attachmentsOf(shown).map((each, i) => {
    const file = saved.get(savedKey(key, i));
    return `[${attachmentText(each)}${file === undefined ? '' : `: ${file}`}]`;
  });
  const put = reactions.flatMap(({ emoji, mine, theirs }) => [
    ...(mine ? [`${harmless(emoji)} you`] : []),
    ...(theirs ? [`${harmless(emoji)} they`] : []),
  ]);
  return [
    ...(reply?.excerpt === undefined ? [] : [`(in answer to: ${harmless(reply.excerpt)})`]),
    ...files,
    ...(put.length > 0 ? [`(${put.join(', ')})`] : []),
  ];
}
