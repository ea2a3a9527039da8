/**
 * Sending direct messages: for every device of the recipient, sealed, in the order in which they were
 * queued. docs/protocol/dm.md §6, §7
 *
 * Invariant: ratchet state and sealed envelopes are one commit, made before anything leaves. What is
 * sent again after a lost answer is the same bytes under the same ids, which the island stores once.
 * One request at a time for each recipient, in one process of the home at a time: the next message
 * goes only after the island has committed the one before.
 */
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import type { Party } from '@island/protocol/crypto/handshake.ts';
import { pad } from '@island/protocol/crypto/padding.ts';
import { encodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { contentTypes, seal } from '@island/protocol/crypto/sealed-envelope.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { envelopeId } from '@island/protocol/wire/ids.ts';
import { encodeSend, type OutgoingEnvelope } from '@island/protocol/wire/send.ts';
import { fromHex, hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import { backoff, pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { Problem, willPass } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import { Conflict, type Storage } from '../storage/storage.ts';
import { retryAfter, sendSealed, type Transport } from '../transport/transport.ts';
import { type Bundles, fetchBundles } from './bundles.ts';
import { bodyOf, readMessage } from './messages.ts';
import { close, type Order, sealedBatch, type Waiting, waiting } from './outbox.ts';
import { type People, parties } from './people.ts';
import type { Ratchets } from './ratchets.ts';

export interface Sending {
  account: Account;
  storage: Storage;
  transport: Transport;
  session: Session;
  people: People;
  ratchets: Ratchets;
  /** Unix milliseconds. */
  now: () => number;
  /** Something keeps a message here; it is tried again. */
  onWaiting: (to: string, error: Error) => void;
  /** Nothing keeps it any longer. */
  onMoving: (to: string) => void;
}

/** Times that a recipient's list is fetched anew for one message before a pause. */
const listTries = 3;
/** Milliseconds between two looks at the whole queue, while it is not empty. */
const longestLook = 500;

/** Sends what is queued, now and later, until aborted. Ends early only when this device is signed out. */
export async function runOutbox(sending: Sending, signal: AbortSignal): Promise<void> {
  const lanes = new Map<string, Promise<void>>();
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let failure: unknown;
  using changed = createBell(either);
  using _watch = sending.storage.watch(changed.ring);
  // New rows lie behind the newest one seen. The older ones are looked at now and then: they may be in
  // the hands of another process, which may die.
  let newest: string | undefined;
  let wholeLook = 0;
  let left = 0;
  while (!either.aborted) {
    const whole = performance.now() >= wholeLook;
    const rows = await waiting(sending.storage, whole ? undefined : newest);
    if (whole) wholeLook = performance.now() + longestLook;
    left = whole ? rows.length : left + rows.length;
    newest = rows.at(-1)?.key ?? newest;
    for (const to of new Set(rows.map((row) => row.to))) {
      if (lanes.has(to)) continue;
      const lane = runLane(sending, to, either)
        .catch((error: unknown) => {
          if (either.aborted) return;
          failure = error;
          stop.abort();
        })
        .finally(() => lanes.delete(to));
      lanes.set(to, lane);
    }
    await changed.next(left > 0 ? longestLook : undefined);
  }
  await Promise.all(lanes.values());
  if (failure !== undefined) throw failure;
}

/** Everything that waits for one recipient, unless another process is at it. */
async function runLane(sending: Sending, to: string, signal: AbortSignal): Promise<void> {
  const { storage } = sending;
  using section = await storage.tryLock(`outbox ${to}`);
  if (!section) return;
  for (;;) {
    const rows = (await waiting(storage)).filter((row) => row.to === to);
    if (rows.length === 0) return;
    for (const row of rows) {
      if (signal.aborted) return;
      await deliver(sending, row, signal);
    }
  }
}

/** Until the island has it, or it is clear that it never will. */
async function deliver(sending: Sending, row: Waiting, signal: AbortSignal): Promise<void> {
  const { storage, transport } = sending;
  let stale = 0;
  let sealed = row.sealed;
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      sealed ??= await prepare(sending, row, undefined, signal);
      await sendSealed(transport, encodeSend({ tokens: [], key: undefined, ...sealed }), signal);
      if (attempt > 0) sending.onMoving(row.to);
      await close(storage, row.key, { state: 'accepted', peer: sealed.account });
      return;
    } catch (error) {
      if (signal.aborted) return;
      // Another process took the row, though none should: it is in good hands.
      if (error instanceof Conflict) return;
      let cause = error;
      if (isStale(error) && stale < listTries && sealed) {
        stale += 1;
        const renewed = await renew(sending, row, sealed, signal);
        if (!(renewed instanceof Error)) {
          sealed = renewed;
          continue;
        }
        cause = renewed;
      }
      if (!(cause instanceof Error)) throw cause;
      if (cause instanceof Problem && cause.code === 'signed_out') throw cause;
      const unsettled = isStale(cause);
      if (!unsettled && !willPass(cause) && !isStorage(cause)) {
        if (!isStated(cause)) throw cause;
        await close(storage, row.key, { state: 'failed', reason: cause.message });
        return;
      }
      stale = 0;
      sending.onWaiting(
        row.to,
        unsettled ? new Problem('devices_unsettled', { name: row.to }) : cause,
      );
      await pause(backoff(attempt, retryAfter(error)), signal);
    }
  }
}

const isStale = (error: unknown): boolean =>
  error instanceof Fault && error.code === 'stale_devices';

/** What this machine refuses says nothing about the message: it stays queued. */
const isStorage = (error: Error): boolean =>
  error instanceof Problem && (error.code === 'disk_full' || error.code === 'home_unusable');

/** A mistake of this program, or a damaged home, is no reason to give up what was queued. */
const isStated = (error: Error): boolean =>
  error instanceof Fault ||
  error instanceof CryptoFault ||
  (error instanceof Problem && error.code !== 'home_damaged');

/** The list anew, and envelopes for exactly the devices on it. */
async function renew(
  sending: Sending,
  row: Waiting,
  sealed: Order,
  signal: AbortSignal,
): Promise<Order | Error> {
  try {
    await sending.people.refresh(row.to, signal);
    const [fresh] = (await waiting(sending.storage)).filter((each) => each.key === row.key);
    if (!fresh) throw new Conflict();
    return await prepare(sending, fresh, sealed, signal);
  } catch (error) {
    if (error instanceof Conflict || !(error instanceof Error)) throw error;
    return error;
  }
}

/** Seals a queued message for the devices of its recipient; envelopes made before are kept for those still there. */
async function prepare(
  sending: Sending,
  row: Waiting,
  before: Order | undefined,
  signal: AbortSignal,
): Promise<Order> {
  const { people, ratchets, storage, session, now } = sending;
  const message = await readMessage(storage, row.key);
  if (message?.type !== 'sent') throw new Conflict();
  const plaintext = pad(
    encodePlaintext({
      id: fromHex(message.id),
      sentAt: message.sentAt,
      body: bodyOf(message),
    }),
  );
  const person = await people.find(row.to, signal);
  const kept = (before?.envelopes ?? []).filter(({ device }) =>
    person.list.devices.some((cert) => cert.device === device),
  );
  const missing = parties(person).filter(
    ({ device }) => !kept.some((envelope) => envelope.device === device),
  );
  let bundles: Bundles = new Map();
  for (;;) {
    const outcome = await ratchets.step<Outcome>(async (step) => {
      const without: Party[] = [];
      const made: OutgoingEnvelope[] = [];
      for (const peer of missing) {
        const sessions = await step.sessions(peer);
        const bundle = bundles.get(peer.device);
        if (!sessions.canSend(now()) && bundle) sessions.start(bundle, now());
        if (!sessions.canSend(now())) without.push(peer);
        else made.push(sealFor(sending.account, peer, sessions.encrypt(plaintext, now()).message));
      }
      // Nothing was made that may be kept: the step leaves no trace.
      if (without.length > 0) return { batch: undefined, result: { without } };
      const { account, list } = person;
      const sealed = { account, epoch: list.epoch, envelopes: [...kept, ...made] };
      return { batch: sealedBatch(row, sealed), result: { sealed } };
    });
    if ('sealed' in outcome) return outcome.sealed;
    try {
      bundles = await fetchBundles(session, person, outcome.without, now(), signal);
    } catch (error) {
      if (!isGone(error)) throw error;
      const fresh = await people.refresh(row.to, signal);
      // The list that is known here had that device; a newer one has not.
      if (fresh.list.epoch === person.list.epoch) throw error;
      return prepare(sending, row, before, signal);
    }
  }
}

const isGone = (error: unknown): boolean =>
  error instanceof Fault && error.code === 'unknown_device';

type Outcome = { sealed: Order } | { without: readonly Party[] };

function sealFor(account: Account, peer: Party, message: Uint8Array): OutgoingEnvelope {
  const sender = {
    name: account.name,
    account: account.account,
    device: account.device,
    dik: account.dik.public,
  };
  const body = seal(peer.dik, { sender, type: contentTypes.ratchet, message });
  return { device: peer.device, id: envelopeId(hex(randomBytes(16))), body };
}
