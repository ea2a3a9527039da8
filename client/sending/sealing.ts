/**
 * Sealing what is queued, for every device of its recipient. docs/protocol/dm.md §5, §8
 *
 * Invariant: ratchet state and sealed envelopes are one commit. Nothing is made for a device that is not on
 * the person's accepted list.
 */
import type { Party } from '@island/protocol/crypto/handshake.ts';
import { pad } from '@island/protocol/crypto/padding.ts';
import { encodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { equal, randomBytes, sha256 } from '@island/protocol/crypto/primitives.ts';
import { type ContentType, contentTypes, seal } from '@island/protocol/crypto/sealed-envelope.ts';
import type { PeerSessions } from '@island/protocol/crypto/sessions.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { envelopeId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import type { Lookups } from '../people/lookups.ts';
import type { OwnPerson } from '../people/own-person.ts';
import { type People, type Person, parties } from '../people/people.ts';
import type { Ratchets } from '../ratchets/ratchets.ts';
import type { Certificates } from '../receiving/certificates.ts';
import { sentRow } from '../repair/sent-log.ts';
import { Conflict, type Put, type Storage } from '../storage/storage.ts';
import { telling } from '../transparency/gossip.ts';
import { type Bundles, fetchBundles } from './bundles.ts';
import {
  changedRow,
  isKept,
  type Order,
  plaintextOf,
  readWaiting,
  type SealedEnvelope,
  type Waiting,
} from './outbox.ts';

export interface Sealing {
  account: Account;
  storage: Storage;
  lookups: Lookups;
  people: People;
  own: OwnPerson;
  ratchets: Ratchets;
  /** Unix milliseconds. */
  now: () => number;
  certificates: Certificates;
}

/** Whom a row goes to; our own name stands for our other devices. */
export const recipientOf = (
  { account, people, own }: Pick<Sealing, 'account' | 'people' | 'own'>,
  to: string,
  signal: AbortSignal,
): Promise<Person> => (to === account.name ? own.present() : people.find(to, signal));

export const refreshRecipient = (
  { account, people, own }: Pick<Sealing, 'account' | 'people' | 'own'>,
  to: string,
  signal: AbortSignal,
): Promise<Person> => (to === account.name ? own.refresh(signal) : people.refresh(to, signal));

/** `taken`: the row is not what it was. */
type Outcome = { order: Order } | { without: readonly Party[] } | 'taken';

/** There is nothing to send any more, or nobody to send it to: a row of a repair or for our own devices ends without a word. */
export class Moot extends Error {
  override name = 'Moot';
}

/**
 * Seals a queued row and commits it; envelopes made before are kept for devices still there. Throws
 * `Conflict` when somebody else dealt with the row, `Moot`, and what finding people and bundles throws.
 */
export async function sealRow(
  sealing: Sealing,
  row: Waiting,
  before: Order | undefined,
  signal: AbortSignal,
): Promise<Order> {
  const { account, ratchets, storage, lookups, now } = sealing;
  const said = await plaintextOf(storage, row);
  if (!said) throw isKept(row) ? new Conflict() : new Moot();
  const person = await recipientOf(sealing, row.to, signal);
  const { list } = person;
  // Keys are for a member of a space, not for whoever has the name.
  if (row.keys && row.keys.account !== person.account) throw new Moot();
  const only = row.repair?.only;
  if (only !== undefined && !list.devices.some(({ device }) => device === only)) throw new Moot();
  const kept = (before?.envelopes ?? []).filter(({ device }) =>
    list.devices.some((cert) => cert.device === device),
  );
  const missing = parties(person).filter(
    ({ device }) => !kept.some((envelope) => envelope.device === device),
  );
  const certificate = await sealing.certificates.own(signal);
  const first = isKept(row) && row.to !== account.name;
  const { padded: plaintext, put: told } = first
    ? await telling(storage, person.account, said, now())
    : { padded: pad(encodePlaintext(said)), put: [] };
  let bundles: Bundles = new Map();
  for (;;) {
    const outcome = await ratchets.step<Outcome>(async (step) => {
      // A step begins anew for as long as its commit does not hold: with this row it never would.
      const present = await readWaiting(storage, row.key);
      if (present?.version !== row.version) return { batch: undefined, result: 'taken' };
      const without: Party[] = [];
      const made: SealedEnvelope[] = [];
      const put: Put[] = [];
      for (const peer of missing) {
        if (isCovered(account, row, peer)) continue;
        const sessions = await step.sessions(peer);
        const bundle = bundles.get(peer.device);
        if (!canSend(sessions, row, now())) {
          if (!bundle) {
            without.push(peer);
            continue;
          }
          sessions.start(bundle, now(), row.repair?.begins?.replaces);
        }
        const { message } = sessions.encrypt(plaintext, now());
        const hash = sha256(message);
        made.push({ ...envelope(peer, certificate, message, typeOf(row)), hash });
        if (isLogged(row)) put.push(sentRow(peer, hash, sentAs(row, peer, now())));
      }
      // Nothing was made that may be kept: the step leaves no trace.
      if (without.length > 0) return { batch: undefined, result: { without } };
      const others = [...kept, ...made];
      const covers = missing
        .filter((peer) => isCovered(account, row, peer))
        .map((peer) => cover(peer, certificate, others));
      const envelopes = [...others, ...covers];
      const order = { account: person.account, epoch: list.epoch, envelopes };
      const changed = changedRow(row, { sealed: order });
      return { batch: { ...changed, put: [...changed.put, ...put, ...told] }, result: { order } };
    });
    if (outcome === 'taken') throw new Conflict();
    if ('order' in outcome) return outcome.order;
    try {
      bundles = await fetchBundles(lookups, person, outcome.without, now(), signal);
    } catch (error) {
      if (!(error instanceof Fault && error.code === 'unknown_device')) throw error;
      const fresh = await refreshRecipient(sealing, row.to, signal);
      // The list that is known here had that device; a newer one has not.
      if (fresh.list.epoch === list.epoch) throw error;
      return sealRow(sealing, row, before, signal);
    }
  }
}

const isHere = ({ account, device }: Account, peer: Party): boolean =>
  peer.account === account && peer.device === device;

/**
 * An order has an envelope for every device of the account: also for this one, without which the island would
 * know which of our devices sent it, and for those that a repair has nothing to say to. They hold nothing.
 */
const isCovered = (account: Account, { repair }: Waiting, peer: Party): boolean =>
  isHere(account, peer) || (repair !== undefined && repair.only !== peer.device);

/** What begins a session does so whatever there is, but for one that is known to work. ratchet.md §9.2 */
function canSend(sessions: PeerSessions, { repair }: Waiting, now: number): boolean {
  if (!sessions.canSend(now)) return false;
  if (!repair?.begins) return true;
  const { works } = repair.begins;
  const [sending] = sessions.sessionIds();
  return works !== undefined && sending !== undefined && equal(works, sending);
}

/** What only repairs is no message: nobody asks for it again. */
const isLogged = ({ repair }: Waiting): boolean => !repair || repair.again !== undefined;

const typeOf = (row: Waiting): ContentType =>
  isLogged(row) ? contentTypes.ratchet : contentTypes.repair;

function sentAs({ key, repair, about, plaintext }: Waiting, { dik }: Party, at: number) {
  const again = repair?.again;
  const place = again?.place ?? about ?? (plaintext ? undefined : key);
  const sync = again ? again.sync : about !== undefined || undefined;
  const times = again?.times ?? 0;
  return {
    at,
    dik,
    times,
    ...(place !== undefined && { place }),
    ...(sync && { sync: true as const }),
  };
}

/** As long as the others. */
function cover(
  here: Party,
  certificate: Uint8Array,
  others: readonly SealedEnvelope[],
): SealedEnvelope {
  const { cover: type } = contentTypes;
  const made = envelope(here, certificate, new Uint8Array(0), type);
  const length = Math.max(0, ...others.map(({ body }) => body.length)) - made.body.length;
  return envelope(here, certificate, randomBytes(Math.max(length, 0)), type);
}

function envelope(
  peer: Party,
  certificate: Uint8Array,
  message: Uint8Array,
  type: ContentType = contentTypes.ratchet,
): SealedEnvelope {
  const body = seal(peer.dik, { certificate, type, message });
  return { device: peer.device, id: envelopeId(hex(randomBytes(16))), body };
}
