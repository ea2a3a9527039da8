/**
 * A message together with everything that was done to it. docs/protocol/dm.md §2.2, §11
 *
 * Invariant: the result depends on the set of acts only, never on their order or on how often one came; so
 * all devices of both sides arrive at the same. Only acts of a message's own sender edit or delete it: a
 * message is found by who sent it and its id, never by the id alone. What somebody does counts up to a bound,
 * and what is beyond it never counts again, whatever else comes: so it need not be kept either.
 */
import { hex } from '@island/protocol/wire/text.ts';
import type { Act } from '../messages/acts.ts';

/** Of a message or an act: `out` is ours, from whichever device. */
export type Direction = Act['direction'];

/** What the fold needs of an act. */
export type FoldedAct = Pick<Act, 'id' | 'direction' | 'sentAt' | 'body' | 'failed'>;

export interface TargetOf {
  direction: Direction;
  /** 32 hex digits. */
  id: string;
}

export interface Reaction {
  emoji: string;
  /** From us, and from the other side. */
  mine: boolean;
  theirs: boolean;
}

export interface Folded {
  text: string;
  /** When its sender changed it last, by their clock. */
  edited: number | undefined;
  /** The highest revision there is; 0 for a message as it was sent. */
  revision: number;
  deleted: boolean;
  /** By emoji. */
  reactions: Reaction[];
}

const other = (direction: Direction): Direction => (direction === 'in' ? 'out' : 'in');

/** `mine` and `yours` are as the sender of the act or reply sees it. */
export const targetOf = (
  direction: Direction,
  { whose, id }: { whose: 'mine' | 'yours'; id: string },
): TargetOf => ({ direction: whose === 'mine' ? direction : other(direction), id });

/** The message that an act is about; undefined for one that is about the conversation. */
export function aboutMessage({
  direction,
  body,
}: Pick<FoldedAct, 'direction' | 'body'>): TargetOf | undefined {
  switch (body.kind) {
    case 'edit':
    case 'delete':
      return { direction, id: hex(body.id) };
    case 'reaction':
      return targetOf(direction, { whose: body.target.whose, id: hex(body.target.id) });
    default:
      return undefined;
  }
}

/** `acts` may hold anything of the conversation; what is about other messages counts for nothing. */
export function fold(
  message: TargetOf & { text: string; deleted?: boolean | undefined },
  acts: readonly FoldedAct[],
): Folded {
  const about = acts.filter((act) => {
    const target = aboutMessage(act);
    const same = target?.id === message.id && target.direction === message.direction;
    return same && act.failed === undefined;
  });
  const deleted = message.deleted === true || about.some(({ body }) => body.kind === 'delete');
  if (deleted) return { text: '', edited: undefined, revision: 0, deleted, reactions: [] };
  const edit = about.reduce<FoldedAct | undefined>(laterEdit, undefined);
  const body = edit?.body.kind === 'edit' ? edit.body : undefined;
  return {
    text: body?.text ?? message.text,
    edited: edit?.sentAt,
    revision: body?.revision ?? 0,
    deleted,
    reactions: reactionsOf(about),
  };
}

/** The highest revision; of two with one revision the higher id. */
function laterEdit(held: FoldedAct | undefined, act: FoldedAct): FoldedAct | undefined {
  if (act.body.kind !== 'edit') return held;
  if (held?.body.kind !== 'edit') return act;
  const [a, b] = [held.body.revision, act.body.revision];
  return b > a || (b === a && act.id > held.id) ? act : held;
}

/** Emoji of one person on one message. */
export const mostEmoji = 16;

/**
 * Of each person the latest reaction with each emoji, of two at one time the higher id; of these the latest few, whether
 * put or taken away again: one that is not among them would not be either if there were more.
 */
function countingReactions(acts: readonly FoldedAct[]): FoldedAct[] {
  const held = new Map<string, FoldedAct>();
  for (const act of acts) {
    if (act.body.kind !== 'reaction') continue;
    const key = `${act.direction} ${act.body.emoji}`;
    const before = held.get(key);
    if (!before || isLater(act, before)) held.set(key, act);
  }
  const latest = [...held.values()].sort((a, b) => (isLater(a, b) ? -1 : 1));
  return (['in', 'out'] as const).flatMap((from) =>
    latest.filter(({ direction }) => direction === from).slice(0, mostEmoji),
  );
}

function reactionsOf(acts: readonly FoldedAct[]): Reaction[] {
  const put = countingReactions(acts).filter(({ body }) => body.kind === 'reaction' && body.put);
  const emojis = new Set(put.map(({ body }) => (body.kind === 'reaction' ? body.emoji : '')));
  return [...emojis].sort().map((emoji) => ({
    emoji,
    mine: put.some((act) => act.direction === 'out' && has(act, emoji)),
    theirs: put.some((act) => act.direction === 'in' && has(act, emoji)),
  }));
}

/**
 * Acts of the other side about one message that will not count, whatever else comes: changed again, one of too many.
 * Of ours none: one that another outdoes may be the one that goes in the end.
 */
export function outdone<A extends FoldedAct>(acts: readonly A[]): A[] {
  const theirs = acts.filter(({ direction }) => direction === 'in');
  const counting = new Set<FoldedAct | undefined>(countingReactions(theirs));
  counting.add(theirs.reduce<FoldedAct | undefined>(laterEdit, undefined));
  counting.add(theirs.find(({ body }) => body.kind === 'delete'));
  return theirs.filter((act) => !counting.has(act));
}

const has = ({ body }: FoldedAct, emoji: string): boolean =>
  body.kind === 'reaction' && body.emoji === emoji;

/** An order of time that both sides have. */
export const isLater = (
  a: { sentAt: number; id: string },
  b: { sentAt: number; id: string },
): boolean => a.sentAt > b.sentAt || (a.sentAt === b.sentAt && a.id > b.id);
