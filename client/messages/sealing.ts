/**
 * Sealing what is queued, for every device of its recipient. docs/protocol/dm.md §5, §8
 *
 * Invariant: ratchet state and sealed envelopes are one commit. Nothing is made for a device that is not on
 * the person's accepted list.
 */
import type { Party } from '@island/protocol/crypto/handshake.ts';
import { pad } from '@island/protocol/crypto/padding.ts';
import { encodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { randomBytes, sha256 } from '@island/protocol/crypto/primitives.ts';
import { type ContentType, contentTypes, seal } from '@island/protocol/crypto/sealed-envelope.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { envelopeId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import type { Session } from '../sign-in/session.ts';
import { Conflict, type Storage } from '../storage/storage.ts';
import { type Bundles, fetchBundles } from './bundles.ts';
import type { Certificates } from './certificates.ts';
import {
  changedRow,
  type Order,
  plaintextOf,
  type SealedEnvelope,
  type Waiting,
} from './outbox.ts';
import type { OwnPerson } from './own-person.ts';
import { type People, type Person, parties } from './people.ts';
import type { Ratchets } from './ratchets.ts';

export interface Sealing {
  account: Account;
  storage: Storage;
  session: Session;
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

type Outcome = { order: Order } | { without: readonly Party[] };

/**
 * Seals a queued row and commits it; envelopes made before are kept for devices still there. Throws
 * `Conflict` when somebody else dealt with the row, and what finding people and bundles throws.
 */
export async function sealRow(
  sealing: Sealing,
  row: Waiting,
  before: Order | undefined,
  signal: AbortSignal,
): Promise<Order> {
  const { account, ratchets, storage, session, now } = sealing;
  const said = await plaintextOf(storage, row);
  if (!said) throw new Conflict();
  const plaintext = pad(encodePlaintext(said));
  const person = await recipientOf(sealing, row.to, signal);
  const { list } = person;
  const kept = (before?.envelopes ?? []).filter(({ device }) =>
    list.devices.some((cert) => cert.device === device),
  );
  const missing = parties(person).filter(
    ({ device }) => !kept.some((envelope) => envelope.device === device),
  );
  const certificate = await sealing.certificates.own(signal);
  let bundles: Bundles = new Map();
  for (;;) {
    const outcome = await ratchets.step<Outcome>(async (step) => {
      const without: Party[] = [];
      const made: SealedEnvelope[] = [];
      for (const peer of missing) {
        if (isHere(account, peer)) continue;
        const sessions = await step.sessions(peer);
        const bundle = bundles.get(peer.device);
        if (!sessions.canSend(now()) && bundle) sessions.start(bundle, now());
        if (!sessions.canSend(now())) without.push(peer);
        else made.push(sealFor(peer, certificate, sessions.encrypt(plaintext, now()).message));
      }
      // Nothing was made that may be kept: the step leaves no trace.
      if (without.length > 0) return { batch: undefined, result: { without } };
      const here = missing.find((peer) => isHere(account, peer));
      const others = [...kept, ...made];
      const envelopes = here ? [...others, cover(here, certificate, others)] : others;
      const order = { account: person.account, epoch: list.epoch, envelopes };
      return { batch: changedRow(row, { sealed: order }), result: { order } };
    });
    if ('order' in outcome) return outcome.order;
    try {
      bundles = await fetchBundles(session, person, outcome.without, now(), signal);
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

function sealFor(peer: Party, certificate: Uint8Array, message: Uint8Array): SealedEnvelope {
  return { ...envelope(peer, certificate, message), hash: sha256(message) };
}

/**
 * An order for our own account has an envelope for this device, too: without it the island would know which
 * of our devices sent it. It holds nothing, and is as long as the others.
 */
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
