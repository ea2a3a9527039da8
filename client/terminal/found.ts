/** What a search found, as lines. */
import type { Found } from '../conversation/search.ts';
import { excerptOf } from '../conversation/view.ts';
import { clockTime, day } from './dates.ts';
import { harmless } from './terminal.ts';

/** Oldest first, as in a conversation; then how much of the whole that is. */
export function foundLines({ messages, total, since, complete }: Found): string[] {
  const lines = messages.toReversed().map(({ name, message }) => {
    const whose = message.direction === 'out' ? `you to ${name}` : name;
    return `${clockTime(message.time)} ${whose}: ${harmless(excerptOf(message.text))}`;
  });
  if (total > messages.length) lines.push(`The newest ${messages.length} of ${total}.`);
  if (total === 0) lines.push('Nothing was found.');
  if (since !== undefined && total === 0)
    lines.push(`(This device has messages since ${day(Math.floor(since / 86_400_000))}.)`);
  if (!complete)
    lines.push('What your other devices have archived is not all read yet: there may be more.');
  return lines;
}
