/** What a person does in their conversations, for a program that shows them. docs/protocol/dm.md §11 to §14 */
import type { TextBody } from '@island/protocol/crypto/text-body.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import type { Speaking } from '../messages/speaking.ts';
import { readContact } from '../people/contacts.ts';
import type { OwnPerson } from '../people/own-person.ts';
import { type People, pinnedAccount } from '../people/people.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import { catchUp } from './catch-up.ts';
import {
  type Conversation,
  conversations,
  type Standing,
  standingOf,
} from './conversation-list.ts';
import { keepDraft, readDraft } from './drafts.ts';
import { timerOf } from './places.ts';
import { markRead } from './reading.ts';
import { type Found, type Search, search } from './search.ts';
import { type ConversationSettings, changeSettings, readSettings } from './settings.ts';
import { type TypingNotices, typingNotices } from './typing.ts';
import { scanned, setVerified, type Verification, verification } from './verification.ts';
import { type Page, type Shown, type ShownMessage, view, viewMessage } from './view.ts';

/** What goes with a text. `reply` is the place (`at`) of the message that it answers. */
export interface Saying extends Pick<TextBody, 'mentions' | 'attachments'> {
  reply?: string;
}

export interface Conversations extends TypingNotices {
  /** The one with the newest message first; requests and blocked people among them, marked as such. */
  list(): Promise<Conversation[]>;
  standing(name: string): Promise<Standing>;
  /** Ascending by time. */
  view(name: string, page?: Page): Promise<Shown[]>;
  /** Says something, under the timer of the conversation; resolves with its key in the history. */
  say(name: string, text: string, saying?: Saying): Promise<string>;
  /** Changes what we said. Throws `not_yours`, `disappears`. */
  edit(name: string, at: string, text: string): Promise<void>;
  /** Takes back what we said, here and for everybody whose client complies. Throws `not_yours`. */
  takeBack(name: string, at: string): Promise<void>;
  react(name: string, at: string, emoji: string, put: boolean): Promise<void>;
  /** Seconds that messages live from here on; 0: they stay. */
  setTimer(name: string, seconds: number): Promise<void>;
  timer(name: string): Promise<number>;
  /** Everything up to a place, or all of it, was read. */
  read(name: string, upTo?: string): Promise<void>;
  accept(name: string): Promise<void>;
  block(name: string): Promise<void>;
  unblock(name: string): Promise<void>;
  draft(name: string): Promise<string>;
  keepDraft(name: string, text: string): Promise<void>;
  search(text: string, search?: Search): Promise<Found>;
  settings(): Promise<ConversationSettings>;
  changeSettings(change: Partial<ConversationSettings>): Promise<ConversationSettings>;
  /** The number to compare with a person. Throws what finding people throws. */
  verification(name: string): Promise<Verification>;
  setVerified(name: string, verified: boolean): Promise<void>;
  /** What a code says that the other person shows; `same` marks them as verified. */
  scanned(name: string, code: Uint8Array): ReturnType<typeof scanned>;
}

export interface ConversationParts {
  storage: Storage;
  people: People;
  own: OwnPerson;
  speaking: Speaking;
  now: () => number;
}

export function openConversations(parts: ConversationParts): Conversations {
  const { storage, people, own, speaking, now } = parts;

  async function messageAt(name: string, at: string): Promise<ShownMessage> {
    const message = await viewMessage(storage, now, name, at);
    if (!message || message.deleted) throw new Problem('message_gone');
    return message;
  }

  async function ours(name: string, at: string): Promise<ShownMessage> {
    const message = await messageAt(name, at);
    if (message.direction !== 'out') throw new Problem('not_yours', { name });
    return message;
  }

  const targetOfMessage = ({ direction, id }: ShownMessage) =>
    ({ whose: direction === 'out' ? 'mine' : 'yours', id: fromHex(id) }) as const;

  /** What was said a moment ago counts: a text that missed its timer would stay, and be archived. */
  async function timer(name: string): Promise<number> {
    await catchUp(storage, now);
    const peer = await pinnedAccount(storage, name);
    return (peer && (await timerOf(storage, peer))?.seconds) ?? 0;
  }

  const notices = typingNotices(async (to, began) => {
    const peer = await pinnedAccount(storage, to);
    const { state } = peer === undefined ? {} : await readContact(storage, peer);
    if (state !== 'accepted' || !(await readSettings(storage)).typing) return;
    await speaking.pass(to, { kind: 'typing', began });
  });

  return {
    ...notices,
    list: () => conversations(storage, now),
    standing: async (name) => standingOf(storage, now, name, await pinnedAccount(storage, name)),
    view: (name, page) => view(storage, now, name, page),
    async say(name, text, { reply, ...more } = {}) {
      const answered = reply === undefined ? undefined : await messageAt(name, reply);
      const seconds = await timer(name);
      const body: TextBody = {
        ...{ kind: 'text', text, ...more },
        ...(answered && { reply: targetOfMessage(answered) }),
        ...(seconds > 0 && { timer: seconds }),
      };
      const [key = ''] = await speaking.say(name, [body]);
      await keepDraft(storage, name, '');
      return key;
    },
    async edit(name, at, text) {
      const message = await ours(name, at);
      // An edit is archived, and may come before its message: what disappears is not to be in either.
      if (message.timer !== undefined) throw new Problem('disappears');
      const revision = message.revision + 1;
      await speaking.act(name, { kind: 'edit', id: fromHex(message.id), revision, text });
    },
    async takeBack(name, at) {
      const { id } = await ours(name, at);
      await speaking.act(name, { kind: 'delete', id: fromHex(id) });
    },
    async react(name, at, emoji, put) {
      const target = targetOfMessage(await messageAt(name, at));
      await speaking.act(name, { kind: 'reaction', target, put, emoji });
    },
    async setTimer(name, seconds) {
      await speaking.act(name, { kind: 'timer', seconds });
    },
    timer,
    async read(name, upTo) {
      const marks = await markRead(storage, now, name, upTo);
      if (marks.length > 0) await speaking.tellOwn({ kind: 'marks', marks });
    },
    accept: (name) => speaking.decide(name, 'accepted'),
    block: (name) => speaking.decide(name, 'blocked'),
    unblock: (name) => speaking.decide(name, 'unblocked'),
    draft: (name) => readDraft(storage, name),
    keepDraft: (name, text) => keepDraft(storage, name, text),
    search: (text, wanted) => search(storage, now, text, wanted),
    settings: () => readSettings(storage),
    changeSettings: (change) => changeSettings(storage, change),
    async verification(name) {
      return verification(storage, await own.present(), await people.find(name));
    },
    async setVerified(name, verified) {
      await setVerified(storage, await people.find(name), verified, now());
    },
    async scanned(name, code) {
      return scanned(storage, code, await own.present(), await people.find(name), now());
    },
  };
}
