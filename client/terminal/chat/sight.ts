/** What is known of a conversation that is open: looked at again whenever something changed. */
import { pause } from '../../backoff.ts';
import { createBell } from '../../bell.ts';
import type { Standing } from '../../conversation/conversation-list.ts';
import { countUnread } from '../../conversation/places.ts';
import { isVerified } from '../../conversation/verification.ts';
import type { Shown } from '../../conversation/view.ts';
import type { Islander } from '../../islander.ts';
import { markShown } from '../../messages/messages.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Calls } from './calls.ts';

export interface Sight {
  readonly shown: readonly Shown[];
  readonly standing: Standing;
  readonly verified: boolean;
  /** Seconds that messages live; 0: they stay. */
  readonly timer: number;
  /** The first one that was new when the conversation was opened. */
  readonly newFrom: string | undefined;
  /** What comes from now on is no longer what was missed. */
  settle(): void;
  /** Until aborted; `onChange` after each look. What is shown counts as read. */
  follow(onChange: () => void, signal: AbortSignal): Promise<void>;
  /** Older ones, too. False when there are none. */
  more(): Promise<boolean>;
}

/** Messages at first, and more at a time; of those that are new at most so many at once. */
const page = 50;
const mostNew = 500;
/** Milliseconds in which changes are gathered. */
const gather = 40;

export function openSight(
  { conversations }: Islander,
  storage: Storage,
  name: string,
  calls: Calls,
): Sight {
  const sight = {
    shown: [] as Shown[],
    standing: 'open' as Standing,
    verified: false,
    timer: 0,
    newFrom: undefined as string | undefined,
  };
  let wanted = page;
  let settled = false;
  const told = new Set<string>();

  const look = (): Promise<Shown[]> => conversations.view(name, { last: wanted });

  async function refresh(): Promise<void> {
    const shown = await look();
    sight.standing = await conversations.standing(name);
    sight.verified = await isVerified(storage, name);
    sight.timer = await conversations.timer(name);
    sight.shown = shown;
    if (!settled)
      sight.newFrom ??= shown.find((each) => each.type === 'message' && each.unread)?.at;
    for (const { type, key } of shown) if (type === 'message') calls.numberOf(key);
  }

  async function markSeen(): Promise<void> {
    if (sight.shown.some((each) => each.type === 'message' && each.unread))
      await conversations.read(name);
    const seen = sight.shown.filter(({ type, key }) => type === 'unreadable' && !told.has(key));
    for (const { key } of seen) told.add(key);
    await markShown(
      storage,
      seen.map(({ key }) => key),
    );
  }

  return Object.assign(sight, {
    settle() {
      settled = true;
    },
    async follow(onChange: () => void, signal: AbortSignal) {
      using changed = createBell(signal);
      using _watch = storage.watch(changed.ring);
      wanted = Math.min(page + (await countUnread(storage, name)), mostNew);
      while (!signal.aborted) {
        await refresh();
        onChange();
        await markSeen();
        await changed.next();
        await pause(gather, signal);
      }
    },
    async more() {
      if (sight.shown.length < wanted) return false;
      wanted += page;
      sight.shown = await look();
      calls.anew(sight.shown.flatMap(({ type, key }) => (type === 'message' ? [key] : [])));
      return true;
    },
  });
}
