/**
 * For tests: what a conversation comes to, computed from the rows of a home by docs/protocol/dm.md §2.2 and by
 * nothing that the client itself computes it with.
 */
import { hex } from '@island/protocol/wire/text.ts';
import { type Act, actsAfter } from '../messages/acts.ts';
import { history } from '../messages/history.ts';
import type { Storage } from '../storage/storage.ts';

/** One message, the same whoever looks at it. */
export interface Agreed {
  /** Who said it, and the id. */
  whose: string;
  id: string;
  text: string;
  deleted: boolean;
  /** `emoji by name`, in order. */
  reactions: string[];
}

/** By `whose id`; what its sender's island never took is not in it. */
export type Conversation = Map<string, Agreed>;

export interface Held {
  /** By the name of the other side. */
  conversations: Map<string, Conversation>;
  /** What could not be read: reasons. */
  unreadable: string[];
  /** What failed for good. */
  failed: string[];
  /** What the island took: `whose id` of messages that this device sent itself. */
  accepted: Set<string>;
}

export async function heldBy(storage: Storage, self: string): Promise<Held> {
  const conversations = new Map<string, Conversation>();
  const unreadable: string[] = [];
  const failed: string[] = [];
  const accepted = new Set<string>();
  const acts = await actsAfter(storage, '', 100_000);
  for (const message of await history(storage)) {
    if (message.type === 'unreadable') {
      unreadable.push(`${message.from ?? message.claims}: ${message.reason}`);
      continue;
    }
    const out = message.type === 'sent';
    const [peer, whose] = out ? [message.to, self] : [message.from, message.from];
    // What was taken back before it went has not failed: it was not to go.
    if (out && message.state === 'failed' && !message.deleted)
      failed.push(`${message.text}: ${message.reason}`);
    if (out && message.state !== 'accepted') continue;
    if (out && !message.elsewhere) accepted.add(`${whose} ${message.id}`);
    const said = { whose, id: message.id, text: message.text };
    const about = acts.filter((act) => act.name === peer && act.failed === undefined);
    const conversation = conversations.get(peer) ?? new Map<string, Agreed>();
    conversations.set(peer, conversation);
    const key = `${whose} ${message.id}`;
    if (conversation.has(key)) failed.push(`${message.text}: is there twice`);
    conversation.set(key, agree(said, about, self, message.deleted === true));
  }
  for (const { failed: reason } of acts) if (reason) failed.push(reason);
  return { conversations, unreadable, failed, accepted };
}

function agree(
  said: { whose: string; id: string; text: string },
  acts: readonly Act[],
  self: string,
  erased: boolean,
): Agreed {
  const by = (act: Act): string => (act.direction === 'out' ? self : act.name);
  let { text } = said;
  let deleted = erased;
  let edit = { revision: 0, id: '' };
  const reactions = new Map<string, { at: number; id: string; put: boolean }>();
  for (const act of acts) {
    const { body, id, sentAt } = act;
    const own = by(act) === said.whose;
    if (body.kind === 'delete' && own && hex(body.id) === said.id) deleted = true;
    if (body.kind === 'edit' && own && hex(body.id) === said.id) {
      const { revision } = body;
      if (revision < edit.revision || (revision === edit.revision && id < edit.id)) continue;
      edit = { revision, id };
      text = body.text;
    }
    if (body.kind !== 'reaction' || hex(body.target.id) !== said.id) continue;
    if ((body.target.whose === 'mine') !== own) continue;
    const key = `${body.emoji} by ${by(act)}`;
    const held = reactions.get(key);
    if (held && (held.at > sentAt || (held.at === sentAt && held.id > id))) continue;
    reactions.set(key, { at: sentAt, id, put: body.put });
  }
  if (deleted) return { ...said, text: '', deleted, reactions: [] };
  const shown = [...reactions].flatMap(([key, { put }]) => (put ? key : [])).sort();
  return { ...said, text, deleted, reactions: shown };
}
