/**
 * What a person says and does here: committed to this home first, sent when the island can be reached.
 * docs/protocol/dm.md §2
 */
import type { Body } from '@island/protocol/crypto/body.ts';
import { encodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import type { TextBody } from '@island/protocol/crypto/text-body.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { personName } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import type { DeliveryKeys } from '../payment/delivery-keys.ts';
import {
  actedOn,
  contactChanges,
  decidedAfter,
  isBlocked,
  readContact,
} from '../people/contacts.ts';
import type { OwnPerson } from '../people/own-person.ts';
import type { People, Person } from '../people/people.ts';
import { Problem, willPass } from '../problem.ts';
import { enqueue, outboxBeside, passing } from '../sending/outbox.ts';
import type { Session } from '../sign-in/session.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { hasEnded } from '../transparency/ended.ts';
import { type ActBody, actRow } from './acts.ts';
import { type Outgoing, saidOf } from './messages.ts';

export interface Speaking {
  /**
   * Queues texts for a person, in their order; resolves with their places in the history once they are
   * on the disk. Throws `unknown_person`, `person_ended`, `yourself`, `signed_out`, `blocked`, `message_empty`, `message_long`.
   */
  say(to: string, bodies: readonly TextBody[]): Promise<string[]>;
  /** Queues an act for somebody known: kept, archived, sent to all devices of both sides. Resolves with its place. */
  act(to: string, body: Exclude<ActBody, { kind: 'contact' }>): Promise<string>;
  /** Queues what is kept nowhere: receipts, typing. Nobody hears of its fate. */
  pass(to: string, body: Extract<Body, { kind: 'receipt' | 'typing' }>): Promise<void>;
  /** To our other devices only. Nothing is queued where there is none. */
  tellOwn(body: Extract<Body, { kind: 'marks' }>): Promise<void>;
  /** Lets somebody in, or keeps them out; our other devices hear of it. */
  decide(about: string, state: 'accepted' | 'blocked' | 'unblocked'): Promise<void>;
}

export interface SpeakingParts {
  account: Pick<Account, 'name'>;
  storage: Storage;
  session: Session;
  people: People;
  own: OwnPerson;
  deliveryKeys: DeliveryKeys;
  now: () => number;
  signal: AbortSignal;
}

export function openSpeaking(parts: SpeakingParts): Speaking {
  const { account, storage, session, people, own, now, signal } = parts;
  const newId = (): Uint8Array => randomBytes(16);

  async function known(name: string): Promise<Person> {
    if (personName(name) === account.name) throw new Problem('yourself');
    return people.find(name, signal);
  }

  /** Whether the person exists shows when the island can be reached; until then the message waits. */
  async function metOrLater(name: string): Promise<void> {
    try {
      const { account: whose } = await known(name);
      if (isBlocked(await readContact(storage, whose))) throw new Problem('blocked', { name });
      if (await hasEnded(storage, whose)) throw new Problem('person_ended', { name });
    } catch (error) {
      if (!willPass(error)) throw error;
    }
  }

  return {
    async say(to, bodies) {
      if (personName(to) === account.name) throw new Problem('yourself');
      // Sealed sending needs no session: the person who signed this device out still expects that nothing leaves.
      await session.present();
      for (const body of bodies) check(body);
      await metOrLater(to);
      if (bodies.length === 0) return [];
      const messages = bodies.map((body): Outgoing => {
        const said = saidOf({ ...body, text: body.text.toWellFormed() });
        return { type: 'sent', id: hex(newId()), to, ...said, sentAt: now(), state: 'queued' };
      });
      return enqueue(storage, messages);
    },

    async act(to, body) {
      const { account: peer, name } = await known(to);
      const at = now();
      const act = { id: hex(newId()), direction: 'out', peer, name, body } as const;
      const row = { ...act, sentAt: at, receivedAt: at };
      const append = [actRow(row, { outbox: outboxBeside(name) })];
      const [key = ''] = (await storage.commit({ append })).keys;
      return key;
    },

    async pass(to, body) {
      await storage.commit({ append: [passing(to, { id: newId(), sentAt: now(), body })] });
    },

    async tellOwn(body) {
      if ((await own.present()).list.devices.length < 2) return;
      const row = passing(account.name, { id: newId(), sentAt: now(), body });
      await storage.commit({ append: [row] });
    },

    async decide(about, state) {
      const { account: peer, name } = await known(about);
      const id = newId();
      const body = { kind: 'contact', state } as const;
      const act = { id: hex(id), direction: 'out', peer, name, body } as const;
      const others = (await own.present()).list.devices.length > 1;
      await untilCommitted(async () => {
        const receivedAt = now();
        const at = decidedAfter(await readContact(storage, peer), receivedAt);
        const row = { ...act, sentAt: at, receivedAt };
        const changes = contactChanges(storage);
        await changes.change(peer, actedOn(row));
        const plaintext = encodePlaintext({ id, sentAt: at, body });
        const sync = { kind: 'sync', peer, peerName: name, plaintext } as const;
        const told = passing(account.name, { id: newId(), sentAt: at, body: sync });
        const append = [actRow(row, { archive: true }), ...(others ? [told] : [])];
        const contact = changes.rows();
        const key = state === 'blocked' ? await parts.deliveryKeys.cut() : undefined;
        await storage.commit({
          append,
          put: [...contact.put, ...(key?.put ?? [])],
          expect: [...contact.expect, ...(key?.expect ?? [])],
        });
      });
    },
  };
}

/** Throws `message_empty`, `message_long`. */
function check(body: TextBody): void {
  const size = utf8Bytes(body.text).length;
  if (size === 0 && !body.attachments) throw new Problem('message_empty');
  const long = new Problem('message_long', { size, limit: limits.textBytes });
  if (size > limits.textBytes) throw long;
  try {
    encodePlaintext({
      id: new Uint8Array(16),
      sentAt: 0,
      body: { ...body, text: body.text.toWellFormed() },
    });
  } catch (error) {
    throw error instanceof Fault && error.code === 'too_large' ? long : error;
  }
}
