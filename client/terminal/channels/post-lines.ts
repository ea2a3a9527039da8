/** Posts as lines for a person, and as objects for a program. */
import type { Shown, ShownPost } from '../../channels/view.ts';
import { attachmentObject, attachmentsOf, attachmentText } from '../attached.ts';
import { clockTime } from '../dates.ts';
import type { ChannelPlace } from '../servers/naming.ts';
import { harmless, plain } from '../terminal.ts';
import { namesOf } from './posts.ts';

export const hiddenText = {
  gone: 'was removed',
  refused: 'was refused',
  waiting: 'waits for its key',
};

export const placeText = ({ state, channel }: ChannelPlace): string =>
  `${harmless(state.title)}/#${harmless(channel.name)}`;

/** `09:41 #general ann: …`; what a person is called by is marked. */
export function postLine(place: ChannelPlace, post: Shown, where = placeText(place)): string {
  if ('hidden' in post)
    return `(${where} ${post.seq}: a post of ${post.authorName} ${hiddenText[post.hidden]})`;
  const { text, reply, deleted, authorName, sentAt, calls, edited, seq } = post;
  const attached = attachmentsOf(post).map((each) => `📎 ${attachmentText(each)}`);
  const said = deleted ? ['(taken back)'] : [...(text === '' ? [] : [plain(text)]), ...attached];
  const answers = reply ? `(to ${reply.authorName}) ` : '';
  const marks = [...(edited ? ['(edited)'] : []), ...stateMarks(post)];
  const reactions = [...post.reactions].map(([emoji, who]) => `${harmless(emoji)} ${who.length}`);
  return [
    `${clockTime(sentAt)} ${where} ${seq ?? '…'} ${calls ? '@ ' : ''}${authorName}: ${answers}${said.join(' ')}`,
    ...marks,
    ...(reactions.length > 0 ? [`[${reactions.join(' ')}]`] : []),
  ].join(' ');
}

function stateMarks({ state, reason, pinned, sharedBy }: ShownPost): string[] {
  return [
    ...(pinned ? ['(pinned)'] : []),
    ...(sharedBy === undefined ? [] : ['(passed on)']),
    ...(state === 'queued' ? ['… waits to be sent'] : []),
    ...(state === 'failed' ? [`✗ ${harmless(reason ?? 'not sent')}`] : []),
  ];
}

export function postObject({ state, channel }: ChannelPlace, post: Shown): Record<string, unknown> {
  const where = {
    ...{ server: state.space, title: state.title, channel: channel.channel, name: channel.name },
  };
  if ('hidden' in post) {
    const { seq, authorName, hidden, why } = post;
    return { type: 'post', ...where, seq, from: authorName, hidden, ...(why && { why }) };
  }
  const { seq, id, authorName, sentAt, text, calls, edited, deleted, pinned, reply } = post;
  const attachments = attachmentsOf(post).map(attachmentObject);
  const reactions = Object.fromEntries(
    [...post.reactions].map(([emoji, who]) => [emoji, namesOf(state, who)]),
  );
  return {
    ...{ type: 'post', ...where, seq, id, from: authorName, mine: post.mine, text, sentAt },
    ...(calls && { calls }),
    ...(edited && { edited }),
    ...(deleted && { deleted }),
    ...(pinned && { pinned }),
    ...(reply && { reply: { to: reply.authorName, id: reply.id } }),
    ...(attachments.length > 0 && { attachments }),
    ...(post.reactions.size > 0 && { reactions }),
    ...(post.sharedBy !== undefined && { sharedBy: namesOf(state, [post.sharedBy])[0] }),
    ...(post.state !== 'sent' && { state: post.state, reason: post.reason }),
  };
}
