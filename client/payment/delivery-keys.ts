/**
 * Our own delivery key: registered with the island, told to those whom we accepted, changed when somebody
 * is blocked or a device was removed. docs/protocol/tokens.md §8
 *
 * All devices of the account come to the same key: of the present archive key and an epoch. The island
 * says which epoch is in force by refusing any other.
 */
import { deliveryKey } from '@island/protocol/crypto/delivery-key.ts';
import { equal, randomBytes, sha256 } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { deliveryEpochs } from '@island/protocol/wire/message-routes.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import type { Account } from '../account/account.ts';
import { needKeys } from '../account/account-keys.ts';
import { backoff, pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { actRow } from '../messages/acts.ts';
import { actedOn, contactChanges, contacts } from '../people/contacts.ts';
import type { People } from '../people/people.ts';
import { Problem, willPass } from '../problem.ts';
import { outboxBeside } from '../sending/outbox.ts';
import type { Session } from '../sign-in/session.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Append, Batch, Storage } from '../storage/storage.ts';
import { untilCommitted } from '../storage/storage.ts';

const record = v.strictObject({
  epoch: v.number(),
  key: bytes64,
  /** Ends the keys before it at once: somebody was blocked. */
  cut: v.boolean(),
  /** Whether the island has it. */
  registered: v.boolean(),
  /** The keys before it have ended: whoever is to have it waits for it. */
  awaited: v.optional(v.boolean()),
});
type OwnKey = v.InferOutput<typeof record>;

export interface DeliveryKeys {
  /** Our own key, for what goes to our other devices; undefined for anybody else's account, and before it is registered. */
  ofOurs(account: AccountId): Promise<Uint8Array | undefined>;
  /** The island does not take this key for that account: another device of ours may have changed it. */
  refused(account: AccountId, key: Uint8Array): Promise<void>;
  /** For the commit that blocks somebody: the present key is good no more. Takes effect with `keep`. */
  cut(): Promise<Required<Pick<Batch, 'put' | 'expect'>>>;
  /** Registers what is due and tells contacts, until aborted. */
  keep(signal: AbortSignal): Promise<void>;
}

export interface KeepingKey {
  account: Account;
  storage: Storage;
  session: Session;
  people: People;
  now: () => number;
}

const place = { namespace: 'delivery-key', key: 'own' };
/** How often the island may refuse an epoch in a row. */
const tries = 6;
/**
 * Milliseconds in which the messages to contacts are scattered: one contact, several, and several whose
 * present key has ended. The island knows whose key it is, and should not see whom it goes to.
 */
const spread = { one: 3_000, several: 3_600_000, awaited: 300_000 };
const look = 3_600_000;

/** 0: it has no key. An island may say anything. */
const isEpoch = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) < deliveryEpochs.most;

export function openDeliveryKeys(parts: KeepingKey): DeliveryKeys {
  const { account, storage, session } = parts;

  async function present(): Promise<{ own: OwnKey | undefined; version: number }> {
    const row = await storage.read(place.namespace, place.key);
    return { own: row && decodeRecord(record, row), version: row?.version ?? 0 };
  }

  const rows = (own: OwnKey, version: number) => ({
    put: [{ ...place, bytes: encodeRecord(own) }],
    expect: [{ ...place, version }],
  });
  const write = (own: OwnKey, version: number) => storage.commit(rows(own, version));

  /** Until the island and this device agree on epoch and key. */
  async function register(signal: AbortSignal): Promise<OwnKey> {
    let { own, version } = await present();
    let highest = deliveryEpochs.most;
    for (let attempt = 0; attempt < tries; attempt++) {
      const { ark } = await needKeys(storage);
      const wanted = own?.epoch ?? 1;
      const epoch = Math.min(wanted, highest);
      const key = deliveryKey(ark, account.account, epoch);
      const cut = own?.cut ?? false;
      const same = own?.registered && equal(own.key, key);
      const awaited = cut || own?.awaited;
      try {
        const hash = base64url(sha256(key));
        await session.call('deliveryKey', { epoch, hash, cut }, { signal });
        if (epoch < wanted) {
          highest = epoch + deliveryEpochs.step;
          continue;
        }
        const registered = { epoch, key, cut: false, registered: true, awaited };
        if (!same || cut) await write(registered, version);
        return registered;
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'stale_delivery_key') throw error;
        const theirs = error.details?.['epoch'];
        if (!isEpoch(theirs)) throw new Fault('unavailable');
        // An island that was put back to an older copy is far behind: contacts were told of ours, so it is led there.
        if (theirs + deliveryEpochs.step < epoch) {
          highest = theirs + deliveryEpochs.step;
          continue;
        }
        // The island has another key under this epoch, or is further on.
        const next = theirs > epoch && !cut ? theirs : Math.max(theirs, epoch) + 1;
        own = { epoch: next, key, cut, registered: false };
        ({ version } = await write(own, version));
      }
    }
    throw new Fault('unavailable');
  }

  /** A message for each accepted contact that was not told this epoch. */
  const tell = ({ epoch, key, awaited }: OwnKey) =>
    untilCommitted(async () => {
      const changes = contactChanges(storage);
      const append: Append[] = [];
      const untold = (await contacts(storage)).filter(
        ({ state, told = 0 }) => state === 'accepted' && told < epoch,
      );
      const several = awaited ? spread.awaited : spread.several;
      const within = untold.length > 1 ? several : spread.one;
      for (const contact of untold) {
        const person = await parts.people.known(contact.account);
        if (!person) continue;
        const at = parts.now();
        const body = { kind: 'delivery-key', epoch, key } as const;
        const act = {
          id: hex(randomBytes(16)),
          direction: 'out',
          peer: contact.account,
          name: person.name,
          sentAt: at,
          receivedAt: at,
          body,
        } as const;
        const notBefore = at + Math.random() * within;
        append.push(actRow(act, { outbox: outboxBeside(person.name, notBefore) }));
        await changes.change(contact.account, actedOn(act));
      }
      if (append.length > 0) await storage.commit({ append, ...changes.rows() });
    });

  return {
    async ofOurs(whose) {
      if (whose !== account.account) return undefined;
      const { own } = await present();
      return own?.registered ? own.key : undefined;
    },
    refused: (whose, key) =>
      untilCommitted(async () => {
        const { own, version } = await present();
        if (whose !== account.account || !own?.registered || !equal(own.key, key)) return;
        await write({ ...own, registered: false }, version);
      }),
    async cut() {
      const { own, version } = await present();
      if (!own) return { put: [], expect: [] };
      return rows({ ...own, epoch: own.epoch + 1, cut: true, registered: false }, version);
    },
    async keep(signal) {
      using changed = createBell(signal);
      using _watch = storage.watch(changed.ring);
      for (let attempt = 0, due = 0; !signal.aborted; ) {
        try {
          const { own } = await present();
          const { ark } = await needKeys(storage);
          const right =
            own?.registered && equal(own.key, deliveryKey(ark, account.account, own.epoch));
          const agreed = right && performance.now() < due ? own : await register(signal);
          if (agreed !== own) due = performance.now() + look;
          await tell(agreed);
          attempt = 0;
          await changed.next(look);
          await pause(1000, signal);
        } catch (error) {
          if (signal.aborted || (error instanceof Problem && error.code === 'signed_out')) return;
          await pause(willPass(error) ? backoff(attempt++) : look / 60, signal);
        }
      }
    },
  };
}
