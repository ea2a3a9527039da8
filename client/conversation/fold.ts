/**
 * A message together with everything that was done to it. docs/protocol/dm.md §2.2, §11
 *
 * Invariant: the result depends on the set of acts only, never on their order or on how often one came; so
 * all devices of both sides arrive at the same. Only acts of a message's own sender edit or delete it: a
 * message is found by who sent it and its id, never by the id alone.
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

/** Of one person's reactions with one emoji the latest; of two at one time the higher id. */
function reactionsOf(acts: readonly FoldedAct[]): Reaction[] {
  const held = new Map<string, FoldedAct>();
  for (const act of acts) {
    if (act.body.kind !== 'reaction') continue;
    const key = `${act.direction} ${act.body.emoji}`;
    const before = held.get(key);
    const later = !before || isLater(act, before);
    if (later) held.set(key, act);
  }
  const put = [...held.values()].filter(({ body }) => body.kind === 'reaction' && body.put);
  const emojis = new Set(put.map(({ body }) => (body.kind === 'reaction' ? body.emoji : '')));
  return [...emojis].sort().map((emoji) => ({
    emoji,
    mine: put.some((act) => act.direction === 'out' && has(act, emoji)),
    theirs: put.some((act) => act.direction === 'in' && has(act, emoji)),
  }));
}

const has = ({ body }: FoldedAct, emoji: string): boolean =>
  body.kind === 'reaction' && body.emoji === emoji;

/** An order of time that both sides have. */
export const isLater = (
  a: { sentAt: number; id: string },
  b: { sentAt: number; id: string },
): boolean => a.sentAt > b.sentAt || (a.sentAt === b.sentAt && a.id > b.id);
