/** With whom there are conversations, and which of them are requests. docs/protocol/dm.md §11 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { readContact } from '../people/contacts.ts';
import type { Storage } from '../storage/storage.ts';
import { catchUp } from './catch-up.ts';
import { namesWithDrafts } from './drafts.ts';
import { countUnread, talks } from './places.ts';
import { isVerified } from './verification.ts';
import { excerptOf, type Shown, view } from './view.ts';

/**
 * `request`: they wrote, and we have neither answered nor let them in; their messages are shown apart, and
 * nothing tells them that anything came.
 */
export type Standing = 'open' | 'request' | 'blocked';

export interface Conversation {
  name: string;
  peer: AccountId | undefined;
  standing: Standing;
  unread: number;
  /** The newest message as it is now. */
  newest: Shown | undefined;
  /** How it begins. */
  excerpt: string;
  /** Something was begun to be written. */
  draft: boolean;
  /** Their keys were compared and have not changed since. */
  verified: boolean;
}

/** The one with the newest message first. */
export async function conversations(storage: Storage, now: () => number): Promise<Conversation[]> {
  await catchUp(storage, now);
  const drafts = await namesWithDrafts(storage);
  const all: Conversation[] = [];
  for (const { name, peer } of await talks(storage)) {
    const [newest] = await view(storage, now, name, { last: 1 });
    const draft = drafts.has(name);
    // Everything has disappeared.
    if (!newest && !draft) continue;
    all.push({
      ...{ name, peer, newest, draft, excerpt: excerptOfShown(newest) },
      standing: await standingOf(storage, now, name, peer),
      unread: await countUnread(storage, name),
      verified: await isVerified(storage, name),
    });
  }
  return all.sort((a, b) => (b.newest?.time ?? 0) - (a.newest?.time ?? 0));
}

const excerptOfShown = (shown: Shown | undefined): string =>
  shown?.type === 'message' ? excerptOf(shown.text) : '';

/** Messages among which one of ours says that we write to them. */
const look = 20;

export async function standingOf(
  storage: Storage,
  now: () => number,
  name: string,
  peer: AccountId | undefined,
): Promise<Standing> {
  const { state } = peer === undefined ? {} : await readContact(storage, peer);
  if (state === 'blocked') return 'blocked';
  if (state === 'accepted') return 'open';
  // What waits to be sent has accepted nobody yet.
  if (state === 'unblocked') return 'request';
  const some = await view(storage, now, name, { last: look });
  const ours = some.some((shown) => shown.type === 'message' && shown.direction === 'out');
  return ours || some.length === 0 ? 'open' : 'request';
}
