/** A channel as lines of a screen. What others wrote goes through `harmless` and is cut before it is styled. */
import type { HiddenPost, Shown, ShownPost } from '../../../channels/view.ts';
import { attachmentsOf, attachmentText } from '../../attached.ts';
import { hiddenText } from '../../channels/post-lines.ts';
import { namesOf } from '../../channels/posts.ts';
import { cut, fill, widthOf, wrap } from '../../screen/columns.ts';
import type { ChannelPlace } from '../../servers/naming.ts';
import { harmless } from '../../terminal.ts';
import { dayText, oneLine, type Paint, rule, timeText } from '../lines.ts';

export interface ChannelLook {
  place: ChannelPlace;
  columns: number;
  /** The first one that was new when the channel was opened. */
  newFrom: number | undefined;
  now: number;
  paint: Paint;
}

const longestName = 12;
/** People under an emoji that are named. */
const named = 3;

/** `mark`: which of the lines says that what follows is new. */
export function channelLines(
  posts: readonly Shown[],
  look: ChannelLook,
): { lines: string[]; mark: number | undefined } {
  const { paint, columns } = look;
  const lines: string[] = [];
  let mark: number | undefined;
  let day = '';
  const names = posts.map(({ authorName }) => widthOf(authorName));
  const wide = Math.max(3, Math.min(longestName, Math.max(0, ...names)));
  const places = posts.map(({ seq }) => String(seq ?? '').length);
  const digits = Math.max(3, ...places);
  for (const each of posts) {
    const here = 'hidden' in each ? day : dayText(each.sentAt, look.now);
    if (here !== day) lines.push(paint('dim', rule(here, columns)));
    day = here;
    if (each.seq !== undefined && each.seq === look.newFrom && each !== posts[0])
      mark = lines.push(paint('yellow', rule('new since you were last here', columns)));
    if ('hidden' in each) lines.push(hiddenLine(each, digits, look));
    else lines.push(...postLines(each, wide, digits, look));
  }
  return { lines, mark: mark === undefined ? undefined : mark - 1 };
}

function hiddenLine(
  { seq, authorName, hidden, why }: HiddenPost,
  digits: number,
  look: ChannelLook,
) {
  const reason = why === undefined ? '' : ` (${oneLine(why)})`;
  const text = `${String(seq).padStart(digits)}       a post of ${authorName} ${hiddenText[hidden]}${reason}`;
  return look.paint('dim', cut(text, look.columns));
}

function postLines(post: ShownPost, wide: number, digits: number, look: ChannelLook): string[] {
  const { paint, columns } = look;
  const { seq, mine, authorName, calls, sentAt } = post;
  const number = String(seq ?? '…').padStart(digits);
  const indent = digits + 1 + 5 + 1 + wide + 3;
  const style = mine ? 'green' : calls ? 'yellow' : 'cyan';
  return bodyLines(post, look, columns - indent).map((line, i) => {
    if (i > 0) return ' '.repeat(indent) + line;
    const head = paint('dim', `${number} ${timeText(sentAt)} `);
    return `${head}${paint(style, fill(mine ? 'you' : authorName, wide))}${calls ? paint('yellow', ' @ ') : '   '}${line}`;
  });
}

function bodyLines(post: ShownPost, look: ChannelLook, width: number): string[] {
  const { paint, place } = look;
  const { reply, text, deleted, mine, authorName, seq, reactions } = post;
  if (deleted) return [paint('dim', `${mine ? 'you' : authorName} took this back`)];
  const lines: string[] = [];
  if (reply) {
    const said = reply.text === undefined ? '(not here any more)' : oneLine(reply.text);
    lines.push(paint('dim', cut(`↳ ${reply.authorName}: ${said}`, width)));
  }
  const said = text === '' ? [] : wrap(harmless(text), width);
  lines.push(...said);
  for (const each of attachmentsOf(post)) {
    const label = cut(`📎 ${attachmentText(each)}`, width);
    const hint = seq === undefined ? '' : `  /save ${seq}`;
    lines.push(widthOf(label) + hint.length <= width ? label + paint('dim', hint) : label);
  }
  const marks = marksOf(post, look);
  const last = lines.at(-1) ?? '';
  const plain = marks.map(([, mark]) => mark).join(' ');
  const painted = marks.map(([style, mark]) => paint(style, mark)).join(' ');
  if (plain !== '' && said.length > 0 && widthOf(last) + 1 + widthOf(plain) <= width)
    lines[lines.length - 1] = `${last} ${painted}`;
  else if (plain !== '') lines.push(...wrap(plain, width).map((line) => paint('dim', line)));
  if (reactions.size > 0) {
    const shown = [...reactions].map(([emoji, who]) => {
      const names = namesOf(place.state, who);
      const more = names.length > named ? ` and ${names.length - named} more` : '';
      return `${oneLine(emoji)} ${names.slice(0, named).join(', ')}${more}`;
    });
    lines.push(cut(shown.join('   '), width));
  }
  return lines;
}

function marksOf(post: ShownPost, { place }: ChannelLook): [Parameters<Paint>[0], string][] {
  const { edited, pinned, sharedBy, state, reason } = post;
  return [
    ...(pinned ? [['yellow', '📌'] as const] : []),
    ...(edited ? [['dim', '(edited)'] as const] : []),
    ...(sharedBy === undefined
      ? []
      : [['dim', `(passed on by ${namesOf(place.state, [sharedBy])[0]})`] as const]),
    ...(state === 'queued' ? [['yellow', '… waits to be sent'] as const] : []),
    ...(state === 'failed' ? [['red', `✗ ${oneLine(reason ?? 'not sent')}`] as const] : []),
  ].map(([style, mark]) => [style, mark]);
}
